// A folder in memory, of the shape of a FileSystemDirectoryHandle.
import type { Folder, FolderFile } from '../../src/weights/carry.ts'

const none = () => Object.assign(new Error('not there'), { name: 'NotFoundError' })

export class MemoryFolder implements Folder {
  folders = new Map<string, MemoryFolder>()
  files = new Map<string, Uint8Array<ArrayBuffer>>()
  /** Every name that was asked for. */
  names: string[] = []

  async getDirectoryHandle(name: string, { create = false } = {}): Promise<MemoryFolder> {
    this.names.push(name)
    if (!this.folders.has(name) && create) this.folders.set(name, new MemoryFolder())
    const found = this.folders.get(name)
    if (!found) throw none()
    return found
  }

  async getFileHandle(name: string, { create = false } = {}): Promise<FolderFile> {
    this.names.push(name)
    if (!this.files.has(name) && !create) throw none()
    if (create) this.files.set(name, new Uint8Array())
    return {
      getFile: async () => new Blob([this.files.get(name)!]),
      createWritable: async () => {
        const parts: Uint8Array<ArrayBuffer>[] = []
        return {
          write: async (bytes) => void parts.push(bytes.slice()),
          close: async () => void this.files.set(name, new Uint8Array(await new Blob(parts).arrayBuffer())),
        }
      },
    }
  }

  json(name: string) {
    return JSON.parse(new TextDecoder().decode(this.files.get(name)!))
  }

  setJson(name: string, value: unknown) {
    this.files.set(name, new TextEncoder().encode(JSON.stringify(value)))
  }
}
