// Files of a folder on disk, or one GGUF in it. Node only, and the only file of this room with `node:` imports.
import { statSync } from 'node:fs'
import { open, readdir, stat } from 'node:fs/promises'
import { basename, dirname, isAbsolute, relative, resolve } from 'node:path'
import { GlmError, throwIfAborted } from '../errors.ts'
import { checkRange, type Source } from './source.ts'

const filesLimit = 10_000
const depthLimit = 2

/** A model in a folder on disk, or in a GGUF file; the file's own splits lie beside it. */
export function folderSource(place: string): Source {
  const full = resolve(place)
  const isFile = statSync(full, { throwIfNoEntry: false })?.isFile() === true
  const root = isFile ? dirname(full) : full
  const size = async (path: string, signal?: AbortSignal) => {
    throwIfAborted(signal)
    const found = await onDisk(path, () => stat(inside(root, path)))
    if (!found.isFile()) throw new GlmError('file_missing', `${path} in ${root} is not a file; give the folder of the model.`)
    return found.size
  }
  return {
    name: basename(full),
    local: true,
    ...(isFile ? { entry: basename(full) } : {}),
    list: (signal) => listed(root, '', signal),
    size,
    async read(path, start, end, signal) {
      checkRange(path, start, end, await size(path, signal))
      const bytes = new Uint8Array(end - start)
      const file = await onDisk(path, () => open(inside(root, path)))
      try {
        for (let done = 0; done < bytes.length; ) {
          throwIfAborted(signal)
          const { bytesRead } = await onDisk(path, () => file.read(bytes, done, bytes.length - done, start + done))
          if (bytesRead === 0) throw new GlmError('file_truncated', `${path} became shorter while it was read; load the model again.`)
          done += bytesRead
        }
      } finally {
        await file.close()
      }
      return bytes
    },
  }
}

/** Links count as what they lead to; what cannot be read is left out. */
async function listed(root: string, below: string, signal?: AbortSignal, depth = 0): Promise<{ path: string; size: number }[]> {
  throwIfAborted(signal)
  const found: { path: string; size: number }[] = []
  for (const name of (await onDisk(below || root, () => readdir(resolve(root, below)))).sort()) {
    const path = below ? `${below}/${name}` : name
    const about = await stat(resolve(root, path)).catch(() => undefined)
    if (about?.isFile()) found.push({ path, size: about.size })
    else if (about?.isDirectory() && depth < depthLimit && !name.startsWith('.'))
      found.push(...(await listed(root, path, signal, depth + 1)))
    if (found.length > filesLimit)
      throw new GlmError('file_invalid', `${root} holds more than ${filesLimit} files; give the folder of one model.`)
  }
  return found
}

/** A path comes from an index file, so it must not lead out. Links are followed: the hub's own cache is made of them. */
function inside(root: string, path: string): string {
  const full = resolve(root, path)
  const way = relative(root, full)
  const out = way === '' || way === '..' || way.startsWith('../') || way.startsWith('..\\') || isAbsolute(way) || isAbsolute(path)
  if (out || path.includes('\0')) throw new GlmError('file_invalid', `"${path}" leads out of the model's folder and is not read.`)
  return full
}

async function onDisk<T>(path: string, call: () => Promise<T>): Promise<T> {
  try {
    return await call()
  } catch (cause) {
    if (cause instanceof GlmError) throw cause
    const reason = (cause as NodeJS.ErrnoException).code ?? String(cause)
    throw new GlmError('file_missing', `${path} cannot be read (${reason}); check the folder of the model.`, { cause })
  }
}
