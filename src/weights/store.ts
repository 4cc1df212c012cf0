// What is kept of a model in IndexedDB: pieces of its files, a Blob each, and one row that names them with their hashes. What no row names is not
// there; rows are untrusted, as another version of this package, or another script of the page, may have written them.
import { createStore, promisifyRequest, type UseStore } from 'idb-keyval'

/** Where pieces and rows are kept. */
export interface PieceStore {
  get(key: string): Promise<unknown>
  set(key: string, value: unknown): Promise<void>
  delete(keys: string[]): Promise<void>
  keys(): Promise<string[]>
}

/** What one model keeps. */
export interface KeptModel extends Origin {
  name: string
  bytes: number
  files: number
  complete: boolean
  saved: string
}

/** Where files come from; kept beside them. */
export interface Origin {
  source?: string
  revision?: string
  licence?: string
}

export interface KeptFile {
  size: number
  etag?: string
  /** 32 bytes per piece; zeros where a piece is not kept. */
  hashes: Uint8Array<ArrayBuffer>
  /** The published hash, once the whole file was held against it. */
  sha256?: string
}

export interface Manifest extends Origin {
  name: string
  version: typeof version
  saved: string
  complete: boolean
  pieceBytes: number
  files: Map<string, KeptFile>
  /** Paths that were asked for and are not there: a later load asks again only when this one did not end well. */
  missing: Set<string>
}

const version = 2
/** What a cut costs at most, per open request; and Chromium loses large values. */
export const defaultPieceBytes = 2 ** 20
/** A larger size is a lie; without an end, the hashes of a lie would fill the memory. */
export const largestFile = 2 ** 38

const rowPrefix = 'model:'
export const rowKey = (name: string) => rowPrefix + name
/** Encoded, so that model `a` with file `b/c` and model `a/b` with file `c` stay apart. */
export const piecePrefix = (name: string) => `part:${encodeURIComponent(name)}/`
export const pieceKey = (name: string, path: string, index: number) => `${piecePrefix(name)}${path}#${index}`

export function emptyManifest(name: string, pieceBytes = defaultPieceBytes): Manifest {
  return { name, version, saved: '', complete: false, pieceBytes, files: new Map(), missing: new Set() }
}

export function newFile(size: number, pieceBytes: number, etag?: string): KeptFile {
  return { size, ...(etag ? { etag } : {}), hashes: new Uint8Array(Math.ceil(size / pieceBytes) * 32) }
}

/** Nothing where the row is of another version, or is none at all. */
export function asManifest(value: unknown): Manifest | undefined {
  const row = value as Manifest | null | undefined
  const sound =
    row?.version === version &&
    typeof row.name === 'string' &&
    row.pieceBytes > 0 &&
    row.missing instanceof Set &&
    row.files instanceof Map &&
    [...row.files.values()].every(
      (file) =>
        file?.size >= 0 &&
        file.size <= largestFile &&
        file.hashes instanceof Uint8Array &&
        file.hashes.length === 32 * Math.ceil(file.size / row.pieceBytes),
    )
  return sound ? row : undefined
}

export const pieceLength = ({ pieceBytes }: Manifest, { size }: KeptFile, index: number) => Math.min(pieceBytes, size - index * pieceBytes)
/** The hash of a piece; where it is not kept, nothing. */
export function hashOf({ hashes }: KeptFile, index: number): Uint8Array | undefined {
  const hash = hashes.subarray(index * 32, index * 32 + 32)
  return hash.some((byte) => byte) ? hash : undefined
}

/** A piece that is no good; the file must show its hash again. */
export function forget(file: KeptFile, index: number): void {
  file.hashes.fill(0, index * 32, index * 32 + 32)
  delete file.sha256
}

export const digest = async (bytes: Uint8Array<ArrayBuffer>) => new Uint8Array(await crypto.subtle.digest('SHA-256', bytes))
export const hex = (bytes: Uint8Array) => Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('')

/** A kept piece; nothing where it is missing, short or unreadable, or has another hash than the one given. */
export async function readPiece(
  store: PieceStore,
  key: string,
  bytes: number,
  hash?: Uint8Array,
): Promise<Uint8Array<ArrayBuffer> | undefined> {
  try {
    const blob = await store.get(key)
    if (!(blob instanceof Blob) || blob.size !== bytes) return undefined
    const piece = new Uint8Array(await blob.arrayBuffer())
    return hash && hex(await digest(piece)) !== hex(hash) ? undefined : piece
  } catch {
    // Chromium can lose a Blob and says so only when it is read: NotFoundError, "Data lost due to missing file".
    return undefined
  }
}

/** Bytes of the pieces that a row names. */
export function keptBytes(row: Manifest): number {
  let sum = 0
  for (const file of row.files.values()) {
    for (let index = 0; index * 32 < file.hashes.length; index++) if (hashOf(file, index)) sum += pieceLength(row, file, index)
  }
  return sum
}

/** The models that have files in the cache. */
export async function listCache(store: PieceStore | undefined = indexedStore()): Promise<KeptModel[]> {
  const models: KeptModel[] = []
  for (const key of (await store?.keys()) ?? []) {
    const row = key.startsWith(rowPrefix) ? asManifest(await store?.get(key)) : undefined
    if (!row) continue
    const { files, missing, version, pieceBytes, ...told } = row
    models.push({ ...told, bytes: keptBytes(row), files: files.size })
  }
  return models
}

/** Deletes all files of one model. */
export async function deleteFromCache(name: string, store: PieceStore | undefined = indexedStore()): Promise<void> {
  const keys = (await store?.keys()) ?? []
  // At once: pieces without their row could be taken for those of another version.
  await store?.delete(keys.filter((key) => key === rowKey(name) || key.startsWith(piecePrefix(name))))
}

/** Bytes of all kept files. */
export async function cacheSize(store: PieceStore | undefined = indexedStore()): Promise<number> {
  return (await listCache(store)).reduce((sum, { bytes }) => sum + bytes, 0)
}

let database: UseStore | undefined

/** The store in IndexedDB, or nothing where there is none (Node). */
export function indexedStore(): PieceStore | undefined {
  if (typeof indexedDB === 'undefined') return undefined
  const use = async <T>(mode: IDBTransactionMode, call: (files: IDBObjectStore) => IDBRequest<T> | undefined): Promise<T> => {
    database ??= createStore('glm-files', 'files')
    // What is written is there when its transaction ends.
    return database(mode, (files) => promisifyRequest(call(files) ?? (files.transaction as unknown as IDBRequest<T>)))
  }
  return {
    get: (key) => use('readonly', (files) => files.get(key)),
    set: (key, value) => use('readwrite', (files) => void files.put(value, key)),
    delete: (keys) => use('readwrite', (files) => void keys.map((key) => files.delete(key))),
    keys: async () => (await use('readonly', (files) => files.getAllKeys())).filter((key) => typeof key === 'string'),
  }
}
