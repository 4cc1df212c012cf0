// What a worker makes of files that a page posts to it: name, list, and the first bytes of each.
import { filesSource, type LocalModel } from '../../src/weights/files.ts'

self.onmessage = async ({ data }: MessageEvent<LocalModel>) => {
  try {
    const { name, entry, list, read } = await filesSource(data)
    const files = await list!()
    const heads = await Promise.all(files.map(async ({ path, size }) => [path, [...(await read(path, 0, Math.min(4, size)))]]))
    self.postMessage({ name, entry, heads })
  } catch (error) {
    self.postMessage({ error: (error as Error).message })
  }
}
