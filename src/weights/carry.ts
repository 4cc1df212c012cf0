// Models in the cache, looked after: mended, written to a folder, and read from one, so that a model can be carried to a machine without network.
// A folder that comes from elsewhere is untrusted. Part of the lazy bundle.
import { asGlmError, GlmError, throwIfAborted } from '../errors.ts'
import { lock } from './lock.ts'
import { checkRoom } from './room.ts'
import {
  asManifest,
  defaultPieceBytes,
  deleteFromCache,
  digest,
  emptyManifest,
  forget,
  hashOf,
  hex,
  indexedStore,
  largestFile,
  type Manifest,
  newFile,
  type PieceStore,
  pieceKey,
  pieceLength,
  readPiece,
  rowKey,
} from './store.ts'

/** What is used of a `FileSystemDirectoryHandle`. */
export interface Folder {
  getDirectoryHandle(name: string, options?: { create?: boolean }): Promise<Folder>
  getFileHandle(name: string, options?: { create?: boolean }): Promise<FolderFile>
}

export interface FolderFile {
  getFile(): Promise<Blob>
  createWritable(): Promise<{ write(bytes: Uint8Array<ArrayBuffer>): Promise<void>; close(): Promise<void>; abort?(): Promise<void> }>
}

export interface CarryOptions {
  signal?: AbortSignal
  /** Bytes done, of all. */
  onBytes?: (done: number, total: number) => void
  store?: PieceStore
  locks?: LockManager
  estimate?: () => Promise<StorageEstimate>
  pieceBytes?: number
}

/** Beside the files of an exported model. */
export const manifestName = 'glm-webgpu.json'
const manifestLimit = 64 * 2 ** 20
const filesLimit = 10_000

interface Exported {
  version: 1
  name: string
  pieceBytes: number
  saved: string
  source?: string
  revision?: string
  licence?: string
  /** `pieces`: SHA-256 of each; null where the piece was never needed, and zeros stand in the file. */
  files: { path: string; size: number; etag?: string; sha256?: string; pieces: (string | null)[] }[]
  missing: string[]
}

/** Holds every kept piece against its hash; what fails is dropped, and fetched by the next load. */
export async function repairCache(
  name: string,
  options: CarryOptions = {},
): Promise<{ checked: number; dropped: number; droppedBytes: number }> {
  return withRow(name, options, async (row, store) => {
    const result = { checked: 0, dropped: 0, droppedBytes: 0 }
    const lost: string[] = []
    for (const { path, file, index, bytes } of piecesOf(row, options)) {
      const hash = hashOf(file, index)
      if (!hash) continue
      result.checked++
      const key = pieceKey(name, path, index)
      if (await readPiece(store, key, bytes, hash)) continue
      forget(file, index)
      lost.push(key)
      result.dropped++
      result.droppedBytes += bytes
    }
    if (lost.length > 0) {
      await store.set(rowKey(name), row)
      await store.delete(lost)
    }
    return result
  })
}

/** Writes the files of a model, and a list of them with their hashes, into a folder. */
export async function exportModel(name: string, folder: Folder, options: CarryOptions = {}): Promise<void> {
  await withRow(name, options, async (row, store) => {
    if (!row.complete) throw new GlmError('request_invalid', `${name} is not whole in the cache; load it once, then export it.`)
    let writer: Awaited<ReturnType<FolderFile['createWritable']>> | undefined
    try {
      for (const [path, file] of row.files) if (file.size === 0) await (await (await fileAt(folder, path, true)).createWritable()).close()
      for (const { path, file, index, bytes } of piecesOf(row, options)) {
        if (index === 0) writer = await (await fileAt(folder, path, true)).createWritable()
        const hash = hashOf(file, index)
        const piece = hash ? await readPiece(store, pieceKey(name, path, index), bytes, hash) : new Uint8Array(bytes)
        if (!piece)
          throw new GlmError('file_invalid', `A piece of ${path} was lost or damaged; repair ${name}, load it, and export it again.`)
        await writer!.write(piece)
        if ((index + 1) * row.pieceBytes >= file.size) await writer!.close()
      }
    } catch (error) {
      await writer?.abort?.().catch(() => {})
      throw asGlmError(error, 'quota_exceeded', `${name} could not be written to the folder: `)
    }
    // Last: a folder without it is not a model.
    const list = await (await folder.getFileHandle(manifestName, { create: true })).createWritable()
    await list.write(new TextEncoder().encode(JSON.stringify(exported(row), null, 1)))
    await list.close()
  })
}

/** Reads an exported model into the cache, and holds every piece against its hash. Comes back with its name. */
export async function importModel(folder: Folder, options: CarryOptions = {}): Promise<string> {
  const pieceBytes = options.pieceBytes ?? defaultPieceBytes
  const store = storeOf(options)
  const list = await readManifest(folder, pieceBytes)
  const { name, saved, source, revision, licence } = list
  const row: Manifest = Object.assign(emptyManifest(name, pieceBytes), known({ saved, source, revision, licence }))
  for (const path of list.missing) row.missing.add(path)
  const files = new Map<string, Blob>()
  for (const { path, size, etag } of list.files) {
    const found = await fileAt(folder, path)
      .then((file) => file.getFile())
      .catch((cause) => {
        if (cause instanceof GlmError) throw cause
        throw new GlmError('file_missing', `${path} is not in the folder; export the model again.`, { cause })
      })
    if (found.size !== size) throw damaged(path)
    row.files.set(path, newFile(size, pieceBytes, etag)) // `sha256` is only what the list claims
    files.set(path, found)
  }
  const release = await locked(name, options)
  try {
    if (asManifest(await store.get(rowKey(name)))?.complete) {
      throw new GlmError('request_invalid', `${name} is in the cache already; delete it there to import it.`)
    }
    await deleteFromCache(name, store)
    await checkRoom(
      name,
      list.files.reduce((sum, { size }) => sum + size, 0),
      options,
    )
    await store.set(rowKey(name), row) // a piece is of the file that the row knows
    const pieces = new Map(list.files.map((file) => [file.path, file.pieces]))
    for (const { path, file, index, bytes } of piecesOf(row, options)) {
      const wanted = pieces.get(path)![index]
      if (!wanted) continue
      const start = index * pieceBytes
      const piece = new Uint8Array(
        await files
          .get(path)!
          .slice(start, start + bytes)
          .arrayBuffer(),
      )
      const hash = await digest(piece)
      if (hex(hash) !== wanted) throw damaged(path)
      await store.set(pieceKey(name, path, index), new Blob([piece]))
      file.hashes.set(hash, index * 32)
    }
    row.complete = true
    await store.set(rowKey(name), row)
    return name
  } catch (error) {
    if (!(error instanceof GlmError && error.code === 'request_invalid')) await deleteFromCache(name, store).catch(() => {})
    throw asGlmError(error, 'quota_exceeded', `${name} could not be imported: `)
  } finally {
    release()
  }
}

function storeOf({ store = indexedStore() }: CarryOptions): PieceStore {
  if (!store) throw new GlmError('request_invalid', 'IndexedDB cannot be used here, so there is no cache.')
  return store
}

/** A load of the same model in another tab is waited for: it would write its own row over ours. */
async function locked(name: string, { store, locks, signal }: CarryOptions): Promise<() => void> {
  if (store && !locks) return () => {}
  try {
    return await lock(name, signal, locks)
  } catch (error) {
    throwIfAborted(signal)
    throw error
  }
}

async function withRow<T>(name: string, options: CarryOptions, run: (row: Manifest, store: PieceStore) => Promise<T>): Promise<T> {
  const store = storeOf(options)
  const release = await locked(name, options)
  try {
    const row = asManifest(await store.get(rowKey(name)))
    if (row?.name !== name) throw new GlmError('file_missing', `${name} is not in the cache.`)
    return await run(row, store)
  } finally {
    release()
  }
}

/** Every piece of every file, in order; tells how far it came. */
function* piecesOf(row: Manifest, { signal, onBytes }: CarryOptions) {
  const total = [...row.files.values()].reduce((sum, { size }) => sum + size, 0)
  let done = 0
  for (const [path, file] of row.files) {
    for (let index = 0; index * row.pieceBytes < file.size; index++) {
      throwIfAborted(signal)
      const bytes = pieceLength(row, file, index)
      yield { path, file, index, bytes }
      done += bytes
      onBytes?.(done, total)
    }
  }
}

function exported(row: Manifest): Exported {
  const { name, pieceBytes, saved, source, revision, licence } = row
  return {
    version: 1,
    name,
    pieceBytes,
    saved,
    ...known({ source, revision, licence }),
    files: [...row.files].map(([path, file]) => ({
      path,
      size: file.size,
      ...known({ etag: file.etag, sha256: file.sha256 }),
      pieces: Array.from({ length: file.hashes.length / 32 }, (_, index) => {
        const hash = hashOf(file, index)
        return hash ? hex(hash) : null
      }),
    })),
    missing: [...row.missing],
  }
}

/** Without what is undefined. */
function known<T extends object>(fields: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as {
    [K in keyof T]?: Exclude<T[K], undefined>
  }
}

/** A path comes from a list that anyone may have written; browsers refuse such names too, but a folder need not be a browser's. */
async function fileAt(folder: Folder, path: string, create = false): Promise<FolderFile> {
  const parts = path.split('/')
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is refused
  if (path === manifestName || parts.some((part) => part === '' || part === '.' || part === '..' || /[\\:\x00-\x1f]/.test(part))) {
    throw new GlmError('file_invalid', `"${path}" leads out of the model's folder.`)
  }
  const name = parts.pop()!
  let place = folder
  for (const part of parts) place = await place.getDirectoryHandle(part, { create })
  return place.getFileHandle(name, { create })
}

async function readManifest(folder: Folder, pieceBytes: number): Promise<Exported> {
  let list: Exported
  try {
    const file = await (await folder.getFileHandle(manifestName)).getFile()
    if (file.size > manifestLimit) throw new Error('it is too large')
    list = JSON.parse(await file.text())
  } catch (cause) {
    throw new GlmError('file_invalid', `${manifestName} cannot be read; choose a folder that a model was exported to.`, { cause })
  }
  if (!isExported(list)) throw new GlmError('file_invalid', `${manifestName} is not a list of a model's files; export the model again.`)
  if (list.pieceBytes !== pieceBytes) throw new GlmError('file_invalid', `${manifestName} is of another version; export the model again.`)
  return list
}

function isExported(value: unknown): value is Exported {
  const list = value as Exported | null
  const text = (field: unknown) => typeof field === 'string' && field.length < 10_000
  const optional = (field: unknown) => field === undefined || text(field)
  if (
    list?.version !== 1 ||
    !text(list.name) ||
    !(Number.isSafeInteger(list.pieceBytes) && list.pieceBytes > 0) ||
    !Array.isArray(list.files) ||
    !Array.isArray(list.missing)
  )
    return false
  if (![list.saved, list.source, list.revision, list.licence].every(optional) || !list.missing.every(text)) return false
  if (list.files.length > filesLimit || new Set(list.files.map((file) => file?.path)).size !== list.files.length) return false
  return list.files.every(
    (file) =>
      text(file?.path) &&
      Number.isSafeInteger(file.size) &&
      file.size >= 0 &&
      file.size <= largestFile &&
      optional(file.etag) &&
      optional(file.sha256) &&
      Array.isArray(file.pieces) &&
      file.pieces.length === Math.ceil(file.size / list.pieceBytes) &&
      file.pieces.every((hash) => hash === null || (typeof hash === 'string' && /^[0-9a-f]{64}$/.test(hash))),
  )
}

const damaged = (path: string) =>
  new GlmError('file_invalid', `${path} in the folder is not the file that was exported; export the model again.`)
