// Files, folders and handles of a real browser, posted to a worker and read there.
import { afterAll, beforeAll, expect, test } from 'vitest'
import { filesSource, fromDrop, type LocalModel, localEntries } from '../../src/weights/files.ts'

const content = { 'config.json': '{"a":1}', 'model.safetensors': 'weights' }
let folder: FileSystemDirectoryHandle

beforeAll(async () => {
  const root = await navigator.storage.getDirectory()
  folder = await root.getDirectoryHandle('glm-files', { create: true })
  const sub = await folder.getDirectoryHandle('sub', { create: true })
  for (const [place, name, text] of [
    [folder, 'config.json', content['config.json']],
    [folder, 'm.gguf', 'GGUF'],
    [sub, 'a.bin', 'a'],
  ] as const) {
    const writable = await (await place.getFileHandle(name, { create: true })).createWritable()
    await writable.write(text)
    await writable.close()
  }
})
afterAll(async () => {
  await (await navigator.storage.getDirectory()).removeEntry('glm-files', { recursive: true })
})

/** As the page does it: paths are taken down, then all of it is posted. */
async function inWorker(model: LocalModel): Promise<Record<string, unknown>> {
  const worker = new Worker(new URL('./files-worker.ts', import.meta.url), { type: 'module' })
  try {
    return await new Promise((resolve, reject) => {
      worker.onmessage = ({ data }) => resolve(data)
      worker.onerror = (event) => reject(new Error(event.message))
      worker.postMessage(localEntries(model))
    })
  } finally {
    worker.terminate()
  }
}

const codes = (text: string) => [...new TextEncoder().encode(text)].slice(0, 4)

test('files', async () => {
  const files = Object.entries(content).map(([name, text]) => new File([text], name, { lastModified: 5 }))
  expect(await inWorker(files)).toEqual({
    name: 'files@14-5',
    entry: undefined,
    heads: Object.entries(content).map(([name, text]) => [name, codes(text)]),
  })
  expect(await inWorker(new Blob(['GGUF and more']))).toMatchObject({ entry: 'model.gguf', heads: [['model.gguf', codes('GGUF')]] })
})

test('a handle of a folder, and one of a file', async () => {
  const { name, heads } = (await inWorker(folder)) as { name: string; heads: [string, number[]][] }
  expect(name).toMatch(/^glm-files@12-\d+$/)
  expect(heads.sort()).toEqual([
    ['config.json', codes('{"a":1}')],
    ['m.gguf', codes('GGUF')],
    ['sub/a.bin', codes('a')],
  ])
  expect(await inWorker(await folder.getFileHandle('m.gguf'))).toMatchObject({ entry: 'm.gguf', heads: [['m.gguf', codes('GGUF')]] })
})

test('a file that changed is not read as if it had not', async () => {
  const handle = await folder.getFileHandle('changing.gguf', { create: true })
  const write = async (text: string) => {
    const writable = await handle.createWritable()
    await writable.write(text)
    await writable.close()
  }
  await write('GGUF one')
  const source = await filesSource(handle)
  await new Promise((resolve) => setTimeout(resolve, 20))
  await write('GGUF other')
  await expect(source.read('changing.gguf', 0, 8)).rejects.toMatchObject({ code: 'file_invalid' })
  await folder.removeEntry('changing.gguf')
})

test('a drop', async () => {
  const transfer = new DataTransfer()
  for (const [name, text] of Object.entries(content)) transfer.items.add(new File([text], name))
  transfer.items.add('some text', 'text/plain')
  const dropped = await fromDrop(transfer)
  expect(dropped.map(({ path, file }) => [path, file.size])).toEqual(Object.entries(content).map(([name, text]) => [name, text.length]))
})

test('a folder from an input keeps its paths', async () => {
  const file = new File(['{}'], 'config.json')
  Object.defineProperty(file, 'webkitRelativePath', { value: 'glm/config.json' })
  expect(await inWorker([file])).toMatchObject({ heads: [['config.json', codes('{}')]] })
})
