// Files of a folder on disk. Node only, and the only file of this room with `node:` imports.
import { open, stat } from 'node:fs/promises'
import { basename, isAbsolute, relative, resolve } from 'node:path'
import { GlmError, throwIfAborted } from '../errors.ts'
import { checkRange, type Source } from './source.ts'

/** A model in a folder on disk. */
export function folderSource(dir: string): Source {
  const root = resolve(dir)
  const size = async (path: string, signal?: AbortSignal) => {
    throwIfAborted(signal)
    const found = await onDisk(path, () => stat(inside(root, path)))
    if (!found.isFile()) throw new GlmError('file_missing', `${path} in ${root} is not a file; give the folder of the model.`)
    return found.size
  }
  return {
    name: basename(root),
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
