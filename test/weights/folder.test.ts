import { mkdir, mkdtemp, rm, symlink, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { folderSource } from '../../src/weights/folder.ts'
import { exists, readJson, readWhole } from '../../src/weights/source.ts'

let root = ''
const data = Uint8Array.from({ length: 5000 }, (_, at) => at & 255)

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'glm-folder-'))
  await mkdir(join(root, 'model', 'sub'), { recursive: true })
  await writeFile(join(root, 'model', 'data.bin'), data)
  await writeFile(join(root, 'model', 'sub', 'a.json'), '{"a":1}')
  await writeFile(join(root, 'model', 'empty'), '')
  await writeFile(join(root, 'secret'), 'secret')
  await writeFile(join(root, 'model', '..dots'), 'x')
  await symlink(join(root, 'model', 'data.bin'), join(root, 'model', 'link.bin'))
})
afterAll(() => rm(root, { recursive: true }))

const source = () => folderSource(join(root, 'model'))

test('reads ranges, whole files, JSON and links', async () => {
  const files = source()
  expect(files.name).toBe('model')
  expect(await files.size('data.bin')).toBe(5000)
  expect(await files.read('data.bin', 100, 4000)).toEqual(data.slice(100, 4000))
  expect(await readWhole(files, 'link.bin')).toEqual(data)
  expect(await readWhole(files, 'empty')).toHaveLength(0)
  expect(await readJson(files, 'sub/a.json')).toEqual({ a: 1 })
  expect(await exists(files, '..dots')).toBe(true)
  expect(await exists(files, 'nothing')).toBe(false)
})

test('lists what is there, folders and links too, without hidden folders', async () => {
  await mkdir(join(root, 'model', '.git'), { recursive: true })
  await writeFile(join(root, 'model', '.git', 'x'), '')
  await symlink(join(root, 'nowhere'), join(root, 'model', 'broken'))
  expect(await source().list!()).toEqual([
    { path: '..dots', size: 1 },
    { path: 'data.bin', size: 5000 },
    { path: 'empty', size: 0 },
    { path: 'link.bin', size: 5000 },
    { path: 'sub/a.json', size: 7 },
  ])
  await expect(source().list!(AbortSignal.abort())).rejects.toMatchObject({ code: 'aborted' })
})

test('a file is the entry of the folder it lies in', async () => {
  const file = folderSource(join(root, 'model', 'data.bin'))
  expect({ name: file.name, entry: file.entry, local: file.local }).toEqual({ name: 'data.bin', entry: 'data.bin', local: true })
  expect(await file.read('data.bin', 1, 3)).toEqual(data.slice(1, 3))
  expect(await file.size('sub/a.json')).toBe(7)
  await expect(file.size('../secret')).rejects.toMatchObject({ code: 'file_invalid' })
})

test('what is missing, too short or aborted', async () => {
  const files = source()
  await expect(files.read('nothing', 0, 1)).rejects.toMatchObject({ code: 'file_missing' })
  await expect(files.size('sub')).rejects.toMatchObject({ code: 'file_missing' })
  await expect(files.size('data.bin/x')).rejects.toMatchObject({ code: 'file_missing' })
  await expect(files.read('data.bin', 0, 2 ** 50)).rejects.toMatchObject({ code: 'file_truncated' })
  await expect(files.read('data.bin', 0, 1, AbortSignal.abort('why'))).rejects.toMatchObject({ code: 'aborted', cause: 'why' })
  await truncate(join(root, 'model', 'data.bin'), 10)
  await expect(files.read('data.bin', 0, 5000)).rejects.toMatchObject({ code: 'file_truncated' })
})

test.each(['../secret', 'sub/../../secret', '/etc/passwd', '..', '.', '', 'a\0b'])('%j is refused', async (path) => {
  await expect(source().size(path)).rejects.toMatchObject({ code: 'file_invalid' })
  await expect(source().read(path, 0, 1)).rejects.toMatchObject({ code: 'file_invalid' })
})
