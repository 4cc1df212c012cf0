// The house rules that a machine can hold: who may import whom, what a shader may not say, how long a file may be.
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { basename } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'

const root = fileURLToPath(new URL('..', import.meta.url))

/** The rooms of src/, top to bottom, and whom each may import. A room may always import itself and errors.ts. */
const rooms: Record<string, string[]> = {
  index: ['api', 'media', 'model', 'weights'],
  api: ['media', 'model', 'weights'],
  worker: ['tools', 'formats', 'vision', 'engine', 'text', 'media', 'model', 'weights', 'kernels', 'gpu'],
  tools: ['engine', 'kernels', 'gpu'],
  formats: ['engine', 'weights', 'kernels'],
  vision: ['engine', 'kernels'],
  cli: ['tools', 'formats', 'vision', 'engine', 'text', 'media', 'model', 'weights', 'kernels', 'gpu'],
  engine: ['text', 'media', 'model', 'weights', 'kernels', 'gpu'],
  text: [],
  media: ['kernels', 'gpu'],
  model: ['weights', 'kernels', 'gpu'],
  weights: ['kernels', 'gpu'],
  kernels: ['gpu', 'shaders'],
  gpu: ['shaders'],
}

/** What may be imported across that order, and why. */
const exceptions: { from: RegExp; to: RegExp; typesOnly: boolean; why: string }[] = [
  { from: /^/, to: /^errors$/, typesOnly: false, why: 'errors cross everything' },
  { from: /^/, to: /^api\/(types|plan)$/, typesOnly: true, why: 'the words of the public surface are spoken everywhere' },
  { from: /^(index|api)/, to: /^engine/, typesOnly: true, why: 'the page knows what the worker says, not how' },
  { from: /^worker$/, to: /^api\/channel$/, typesOnly: false, why: 'a wire has two ends' },
  { from: /^engine\/place$/, to: /^api\/channel$/, typesOnly: true, why: 'what crosses the wire names a place' },
  { from: /^api\/cache$/, to: /^formats$/, typesOnly: false, why: 'fetched by its address' },
  { from: /^index$/, to: /^text\/agent$/, typesOnly: false, why: 'a bundle of its own: what a model wrote is read in the page' },
]

/** Node is known where files and Dawn are: nowhere on the way from index.ts or worker.ts. */
const nodeOnly = /^(cli|cli\/.*|gpu\/dawn|weights\/folder)$/

describe('imports only go down', () => {
  for (const file of filesOf('src', '.ts')) {
    test(file, () => {
      const from = name(file)
      const wrong = importsOf(file).filter(({ to, typesOnly }) => !allowed(from, to, typesOnly))
      expect(wrong.map(({ to }) => to)).toEqual([])
    })
  }
})

test('only the command line, Dawn and the folder source know Node', () => {
  const knowing = filesOf('src', '.ts').filter((file) => /from 'node:|import\('(node:|webgpu)/.test(code(file)))
  expect(knowing.map(name).filter((file) => !nodeOnly.test(file))).toEqual([])
})

test('the demo imports the package, not its insides', () => {
  const inside = filesOf('demo', '.ts').flatMap((file) => specifiers(read(file)).filter(({ to }) => /(^|\/)(src|dist|shaders)\//.test(to)))
  expect(inside).toEqual([])
})

describe('shaders', () => {
  const shaders = filesOf('shaders', '.wgsl')

  test('every variable is initialised: inside a loop, `var x: T;` keeps its last value on Chromium 156 and Dawn', () => {
    expect(shaders.flatMap((file) => matches(file, /\bvar\s+\w+\s*:[^=;]*;/g))).toEqual([])
  })

  test('no trigonometry: rope comes from a table, sin and cos on a GPU lose three digits', () => {
    expect(shaders.flatMap((file) => matches(file, /\b(sin|cos|tan)\s*\(/g))).toEqual([])
  })

  test('every shader is used', () => {
    const sources = filesOf('src', '.ts').map(read).join('\n')
    expect(shaders.filter((file) => !sources.includes(`${file}?raw`))).toEqual([])
  })

  const kernels = shaders.filter((file) => file.split('/').length === 2 && code(file).includes('@compute'))
  for (const file of kernels) {
    test(`${file} has its kernel and its test`, () => {
      const kernel = basename(file, '.wgsl')
      const tests = filesOf('test/kernels', '.ts').map((one) => basename(one))
      expect(existsSync(`${root}src/kernels/${kernel}.ts`)).toBe(true)
      expect(tests.filter((one) => one.startsWith(`${kernel}.`) && one.endsWith('test.ts'))).not.toEqual([])
    })
  }
})

test('no file is longer than 400 lines', () => {
  const sources = ['src', 'demo'].flatMap((folder) => ['.ts', '.css', '.html'].flatMap((end) => filesOf(folder, end)))
  expect(sources.filter((file) => read(file).trimEnd().split('\n').length > 400)).toEqual([])
})

test('no test is left out or alone', () => {
  expect(filesOf('test', '.ts').flatMap((file) => matches(file, /\b(test|it|describe)(\.\w+)*\.(only|skip|todo)\b/g))).toEqual([])
})

function allowed(from: string, to: string, typesOnly: boolean): boolean {
  if (exceptions.some((one) => one.from.test(from) && one.to.test(to) && (typesOnly || !one.typesOnly))) return true
  return room(from) === room(to) || (rooms[room(from)] ?? []).includes(room(to))
}

/** `src/model/decoder.ts` → `model/decoder`; `shaders/norm.wgsl` → `shaders/norm`. */
function name(file: string): string {
  return file.replace(/^src\//, '').replace(/\.(ts|wgsl)$/, '')
}

function room(file: string): string {
  return file.split('/')[0]!
}

/** What a file of ours imports from us. */
function importsOf(file: string): { to: string; typesOnly: boolean }[] {
  return specifiers(read(file))
    .filter(({ to }) => to.startsWith('.'))
    .map(({ to, typesOnly }) => ({ to: name(new URL(to.replace(/\?.*/, ''), `file:///${file}`).pathname.slice(1)), typesOnly }))
}

function specifiers(text: string): { to: string; typesOnly: boolean }[] {
  const statements = [...text.matchAll(/^(?:import|export)\s+(type\s)?([^'"`;]*?)from\s+'([^']+)'/gm)]
  const others = [...text.matchAll(/(?:^import\s+|\bimport\()'([^']+)'/gm)]
  return [
    ...statements.map(([, type, names = '', to = '']) => ({ to, typesOnly: Boolean(type) || onlyTypes(names) })),
    ...others.map(([, to = '']) => ({ to, typesOnly: false })),
  ]
}

/** `{ type A, type B }` */
function onlyTypes(names: string): boolean {
  const list = /^\{(.*)\}\s*$/s.exec(names.trim())?.[1]?.split(',') ?? ['']
  return list.filter((one) => one.trim() !== '').every((one) => one.trim().startsWith('type ')) && names.includes('{')
}

function matches(file: string, pattern: RegExp): string[] {
  return [...code(file).matchAll(pattern)].map(([found]) => `${file}: ${found}`)
}

/** A file without its comments. */
function code(file: string): string {
  return read(file)
    .replace(/\/\*[\s\S]*?\*\//g, '')
    .replace(/(^|\s)\/\/.*/g, '')
}

function read(file: string): string {
  return readFileSync(root + file, 'utf8')
}

/** Paths below a folder, from the root of the repository, with forward slashes. */
function filesOf(folder: string, suffix: string): string[] {
  if (!existsSync(root + folder)) return []
  const names = readdirSync(root + folder, { recursive: true, encoding: 'utf8' }).map((file) => file.replaceAll('\\', '/'))
  return names.filter((file) => file.endsWith(suffix) && !file.includes('node_modules/')).map((file) => `${folder}/${file}`)
}
