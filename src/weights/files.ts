// Files that a person gave a page: dropped, chosen in a dialog, or behind a handle. They are read where they lie, a slice at a time.
// Files and handles cross to a worker by structured clone; a path in a folder does not, so it is taken down before.
import { GlmError, throwIfAborted } from '../errors.ts'
import { checkRange, type Source } from './source.ts'

/** A file and its path in the folder it came from. */
export interface FileEntry {
  path: string
  file: Blob
}

export type LocalModel = Blob | readonly File[] | FileList | readonly FileEntry[] | FileSystemFileHandle | FileSystemDirectoryHandle

const filesLimit = 10_000
const depthLimit = 4

/** Whether a value is files or a handle, rather than the name of a model. */
export const isLocal = (model: unknown): model is LocalModel => typeof model === 'object' && model !== null && !(model instanceof URL)

/** What can be posted to a worker: a handle as it is, files with their paths. Throws `request_invalid` for anything else. */
export function localEntries(model: LocalModel): FileSystemHandle | FileEntry[] {
  if (isHandle(model)) return model
  const list: unknown[] = model instanceof Blob ? [model] : Array.from((model as ArrayLike<unknown>) ?? [])
  const entries = list.map((one): FileEntry => {
    if (one instanceof Blob) return { path: (one as File).webkitRelativePath || (one as File).name || 'model.gguf', file: one }
    const entry = one as FileEntry | undefined
    if (typeof entry?.path === 'string' && entry.file instanceof Blob) return { path: entry.path, file: entry.file }
    throw new GlmError('request_invalid', 'A model is a name, an address, a File, several Files or a handle; pass one of these.')
  })
  if (entries.length === 0) throw new GlmError('request_invalid', 'No file was given; pass a .gguf file or the files of a model folder.')
  return entries
}

/** What was dropped on a page. Call it while the drop event is handled: what it holds is gone afterwards. */
export async function fromDrop(transfer: DataTransfer): Promise<FileEntry[]> {
  const dropped = [...transfer.items].filter(({ kind }) => kind === 'file')
  const found = await Promise.all(dropped.map((item) => walkEntry(item.webkitGetAsEntry(), item.getAsFile())))
  return shortened(found.flat())
}

async function walkEntry(entry: FileSystemEntry | null, file: File | null): Promise<FileEntry[]> {
  if (!entry?.isDirectory) return file ? [{ path: file.name, file }] : []
  const found: FileEntry[] = []
  await walkFolder(entry as FileSystemDirectoryEntry, `${entry.name}/`, found, 0)
  return found
}

async function walkFolder(folder: FileSystemDirectoryEntry, prefix: string, found: FileEntry[], depth: number): Promise<void> {
  const reader = folder.createReader()
  for (;;) {
    // A hundred or so at a time, until there are none.
    const some = await new Promise<FileSystemEntry[]>((resolve, reject) => reader.readEntries(resolve, reject)).catch(
      unreadable(folder.name),
    )
    if (some.length === 0) return
    for (const entry of some) {
      const path = prefix + entry.name
      if (entry.isDirectory && depth < depthLimit) await walkFolder(entry as FileSystemDirectoryEntry, `${path}/`, found, depth + 1)
      else if (entry.isFile) {
        const file = await new Promise<File>((resolve, reject) => (entry as FileSystemFileEntry).file(resolve, reject)).catch(
          unreadable(path),
        )
        add(found, { path, file })
      }
    }
  }
}

async function walkHandle(folder: FileSystemDirectoryHandle, prefix: string, found: FileEntry[], depth: number): Promise<void> {
  try {
    for await (const [name, handle] of folder.entries()) {
      if (handle.kind === 'file') add(found, { path: prefix + name, file: await (handle as FileSystemFileHandle).getFile() })
      else if (depth < depthLimit) await walkHandle(handle as FileSystemDirectoryHandle, `${prefix}${name}/`, found, depth + 1)
    }
  } catch (error) {
    unreadable(prefix || folder.name)(error)
  }
}

function add(found: FileEntry[], entry: FileEntry): void {
  if (found.length >= filesLimit)
    throw new GlmError('request_invalid', `There are more than ${filesLimit} files in it; give the folder of one model.`)
  found.push(entry)
}

/** A model of files on this machine. A single GGUF is its `entry`; of several, choose.ts takes one. */
export async function filesSource(model: LocalModel, signal?: AbortSignal): Promise<Source> {
  throwIfAborted(signal)
  const local = localEntries(model)
  const entries = isHandle(local) ? await entriesOf(local) : shortened(local)
  throwIfAborted(signal)
  const files = new Map(entries.map(({ path, file }) => [path, file]))
  const find = (path: string): Blob => {
    const file = files.get(path)
    if (!file) throw new GlmError('file_missing', `${path} is not among the files that were given; give the whole folder of the model.`)
    return file
  }
  const entry = await soleGguf(entries)
  return {
    name: nameOf(entries, isHandle(local) && local.kind === 'directory' ? local.name : undefined),
    local: true,
    ...(entry === undefined ? {} : { entry }),
    async size(path, signal) {
      throwIfAborted(signal)
      return find(path).size
    },
    async read(path, start, end, signal) {
      throwIfAborted(signal)
      const file = find(path)
      checkRange(path, start, end, file.size)
      const bytes = new Uint8Array(await file.slice(start, end).arrayBuffer().catch(unreadable(path)))
      throwIfAborted(signal)
      if (bytes.length !== end - start)
        throw new GlmError('file_truncated', `${path} became shorter while it was read; load the model again.`)
      return bytes
    },
    list: async () => entries.map(({ path, file }) => ({ path, size: file.size })),
  }
}

async function entriesOf(handle: FileSystemHandle): Promise<FileEntry[]> {
  if (handle.kind === 'file') {
    const file = await (handle as FileSystemFileHandle).getFile().catch(unreadable(handle.name))
    return [{ path: handle.name, file }]
  }
  const found: FileEntry[] = []
  await walkHandle(handle as FileSystemDirectoryHandle, '', found, 0)
  if (found.length === 0) throw new GlmError('file_missing', `There are no files in ${handle.name}; give the folder of a model.`)
  return found
}

/** Paths of one folder lose its name: `config.json`, not `glm/config.json`. Two files of one path are refused. */
function shortened(entries: FileEntry[]): FileEntry[] {
  const root = entries[0]?.path.split('/')[0]
  const inOne = entries.every(({ path }) => path.includes('/') && path.split('/')[0] === root)
  const short = inOne && root !== undefined ? entries.map(({ path, file }) => ({ path: path.slice(root.length + 1), file })) : entries
  const paths = new Set(short.map(({ path }) => path))
  if (paths.size < short.length) throw new GlmError('request_invalid', 'Two of the files have the same name; give the files of one model.')
  return short
}

/** The only file there is, where it is a GGUF by its name or its first bytes. */
async function soleGguf([only, ...others]: FileEntry[]): Promise<string | undefined> {
  if (!only || others.length > 0) return undefined
  if (/\.gguf$/i.test(only.path)) return only.path
  const mark = await only.file.slice(0, 4).text().catch(unreadable(only.path))
  return mark === 'GGUF' ? only.path : undefined
}

/** Another file of the same name has another size or date. */
function nameOf(entries: FileEntry[], folder: string | undefined): string {
  const size = entries.reduce((sum, { file }) => sum + file.size, 0)
  const changed = entries.reduce((last, { file }) => Math.max(last, (file as File).lastModified ?? 0), 0)
  const name = folder ?? (entries.length === 1 ? entries[0]!.path : 'files')
  return `${name}@${size}-${changed}`
}

const isHandle = (model: unknown): model is FileSystemHandle =>
  ['file', 'directory'].includes((model as FileSystemHandle | undefined)?.kind ?? '')

const unreadable =
  (path: string) =>
  (cause: unknown): never => {
    if (cause instanceof GlmError) throw cause
    const why = cause instanceof Error ? cause.name : String(cause)
    throw new GlmError('file_invalid', `${path} cannot be read any more (${why}): it changed, moved, or the page may not; give it again.`, {
      cause,
    })
  }
