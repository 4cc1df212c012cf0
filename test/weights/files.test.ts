// Files that a person gave a page: read by slice, told apart by size and date, and said to be gone when they are.
import { expect, test } from 'vitest'
import { filesSource, fromDrop, isLocal, type LocalModel, localEntries } from '../../src/weights/files.ts'
import { openFiles } from '../../src/weights/open.ts'

const bytes = (length: number) => Uint8Array.from({ length }, (_, at) => at & 255)
const file = (name: string, content: BlobPart = bytes(10), folder = '') => {
  const made = new File([content], name, { lastModified: 1000 })
  if (folder) Object.defineProperty(made, 'webkitRelativePath', { value: `${folder}/${name}` })
  return made
}
const fileHandle = (of: File) => ({ kind: 'file', name: of.name, getFile: async () => of }) as unknown as FileSystemFileHandle
const folderHandle = (name: string, entries: Record<string, unknown>) =>
  ({
    kind: 'directory',
    name,
    async *entries() {
      yield* Object.entries(entries)
    },
  }) as unknown as FileSystemDirectoryHandle

test('a GGUF is its own entry, whatever it is called', async () => {
  const source = await filesSource(file('m.gguf'))
  expect({ name: source.name, entry: source.entry, local: source.local }).toEqual({ name: 'm.gguf@10-1000', entry: 'm.gguf', local: true })
  expect(await source.size('m.gguf')).toBe(10)
  expect(await source.read('m.gguf', 2, 5)).toEqual(bytes(10).slice(2, 5))
  expect(await source.list!()).toEqual([{ path: 'm.gguf', size: 10 }])
  expect((await filesSource(new Blob(['GGUF....']))).entry).toBe('model.gguf')
  expect((await filesSource(file('blob', 'GGUF....'))).entry).toBe('blob')
  expect((await filesSource(file('model.safetensors'))).entry).toBeUndefined()
})

test('another file of the same name has another name here', async () => {
  const names = await Promise.all(
    [file('m.gguf'), new File(['x'], 'm.gguf', { lastModified: 1000 }), new File([bytes(10)], 'm.gguf', { lastModified: 7 })].map((one) =>
      filesSource(one),
    ),
  )
  expect(new Set(names.map(({ name }) => name)).size).toBe(3)
})

test('a folder from an input loses its name, files beside each other keep theirs', async () => {
  const folder = await filesSource([file('config.json', '{}', 'glm'), file('model.safetensors', bytes(9), 'glm')])
  expect((await folder.list!()).map(({ path }) => path)).toEqual(['config.json', 'model.safetensors'])
  const flat = await filesSource([file('config.json', '{}'), file('model.safetensors')])
  expect(await flat.size('config.json')).toBe(2)
  await expect(filesSource([file('a'), file('a')])).rejects.toMatchObject({ code: 'request_invalid' })
})

test('of several GGUFs one is chosen; a split one is opened at its first part', async () => {
  const { source, chosen } = await openFiles([file('m-Q8_0.gguf', bytes(90)), file('m-Q4_0.gguf', bytes(50))])
  expect(source.entry).toBe('m-Q4_0.gguf')
  expect(chosen?.why).toContain('Q8_0')
  const split = await openFiles([file('m-Q4_0-00002-of-00002.gguf'), file('m-Q4_0-00001-of-00002.gguf')])
  expect(split.source.entry).toBe('m-Q4_0-00001-of-00002.gguf')
})

test('handles: a file, and a folder with folders in it', async () => {
  expect((await filesSource(fileHandle(file('m.gguf')))).entry).toBe('m.gguf')
  const source = await filesSource(
    folderHandle('glm', {
      'config.json': fileHandle(file('config.json')),
      sub: folderHandle('sub', { 'a.bin': fileHandle(file('a.bin')) }),
    }),
  )
  expect(source.name).toBe('glm@20-1000')
  expect((await source.list!()).map(({ path }) => path)).toEqual(['config.json', 'sub/a.bin'])
  await expect(filesSource(folderHandle('empty', {}))).rejects.toMatchObject({ code: 'file_missing' })
})

test('what cannot be read any more is said', async () => {
  const gone = () => Promise.reject(new DOMException('gone', 'NotReadableError'))
  const lost = file('m.gguf')
  lost.slice = () => Object.assign(new Blob(), { arrayBuffer: gone })
  await expect((await filesSource(lost)).read('m.gguf', 0, 1)).rejects.toMatchObject({
    code: 'file_invalid',
    message: expect.stringContaining('NotReadableError'),
  })
  const refused = { kind: 'file', name: 'm.gguf', getFile: gone } as unknown as FileSystemFileHandle
  await expect(filesSource(refused)).rejects.toMatchObject({ code: 'file_invalid' })
  const source = await filesSource(file('m.gguf'))
  await expect(source.read('m.gguf', 0, 11)).rejects.toMatchObject({ code: 'file_truncated' })
  await expect(source.read('n.gguf', 0, 1)).rejects.toMatchObject({ code: 'file_missing' })
  await expect(source.read('m.gguf', 0, 1, AbortSignal.abort())).rejects.toMatchObject({ code: 'aborted' })
})

test('no files, and what are none', () => {
  for (const wrong of [[], [1], ['a'], [{}], {}, 7, null, [{ path: 1, file: new Blob() }]]) {
    expect(() => localEntries(wrong as unknown as LocalModel)).toThrow(expect.objectContaining({ code: 'request_invalid' }))
  }
  expect([file('a'), [file('a')], folderHandle('a', {})].map(isLocal)).toEqual([true, true, true])
  expect(['a', undefined, null, new URL('http://a/')].map(isLocal)).toEqual([false, false, false, false])
})

test('what crosses to a worker: files with their paths, cloned', async () => {
  const entries = localEntries([file('config.json', '{}', 'glm'), file('m.gguf', bytes(9), 'glm')])
  const source = await filesSource(structuredClone(entries) as LocalModel)
  expect((await source.list!()).map(({ path, size }) => [path, size])).toEqual([
    ['config.json', 2],
    ['m.gguf', 9],
  ])
})

test('a drop: files, and folders a hundred entries at a time', async () => {
  const entryOf = (of: File) => ({ isFile: true, isDirectory: false, name: of.name, file: (done: (file: File) => void) => done(of) })
  const many = Array.from({ length: 150 }, (_, at) => entryOf(file(`${at}.bin`)))
  const folder = {
    isFile: false,
    isDirectory: true,
    name: 'glm',
    createReader() {
      const batches = [many.slice(0, 100), many.slice(100), []]
      return { readEntries: (done: (some: unknown[]) => void) => done(batches.shift()!) }
    },
  }
  const item = (entry: unknown, own: File | null) => ({ kind: 'file', webkitGetAsEntry: () => entry, getAsFile: () => own })
  const dropped = (...items: unknown[]) => fromDrop({ items: [{ kind: 'string' }, ...items] } as unknown as DataTransfer)
  expect((await dropped(item(folder, null))).map(({ path }) => path)).toEqual(many.map(({ name }) => name))
  const one = file('m.gguf')
  expect(await dropped(item(entryOf(one), one))).toEqual([{ path: 'm.gguf', file: one }])
  expect((await dropped(item(folder, null), item(entryOf(one), one))).at(-1)!.path).toBe('m.gguf')
})
