// The package as people get it: packed, installed into an empty Vite app without install scripts, built and served, developed, run in Chromium.
// It is the only test that finds a worker or a model file that a consumer's bundler loses.
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { gzipSync } from 'node:zlib'
import { type Browser, chromium, type Page } from 'playwright'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { serve } from '../../scripts/serve.mjs'
import { npm } from '../../scripts/setup.mjs'
import { chromiumFlags, machine } from '../adapters.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
const folder = mkdtempSync(join(tmpdir(), 'glm-webgpu-package-'))
const app = join(folder, 'app')

/** Bytes after gzip: the page pays for main at once, for the worker when it loads a model. */
const bounds = { index: 12_000, worker: 56_000, together: 60_000 }

/** An empty app and the README's five lines. */
const page = {
  'package.json': JSON.stringify({ name: 'app', private: true, type: 'module' }),
  'index.html':
    '<!doctype html><title>app</title><link rel="icon" href="data:,"><pre id="text"></pre><script type="module" src="/main.js"></script>',
  'main.js': `import { loadGlm } from 'glm-webgpu'
const print = (text) => { document.getElementById('text').textContent += text }
const glm = await loadGlm('pocket', { onProgress: (progress) => { document.title = progress.phase } })
const messages = [{ role: 'user', content: 'Hello!' }]
const stream = await glm.chat.completions.create({ messages, max_tokens: 24, stream: true })
for await (const chunk of stream) print(chunk.choices[0]?.delta.content ?? '')
await glm.close()
document.title = 'done'
`,
  'time/index.html':
    '<!doctype html><title>time</title><link rel="icon" href="data:,"><pre id="text"></pre><script type="module" src="/main.js"></script>',
  'time/main.js': `import { align, openMedia } from 'glm-webgpu'
const rate = 8000
const bytes = new DataView(new ArrayBuffer(44 + 2 * rate))
const words = { 0: 'RIFF', 8: 'WAVE', 12: 'fmt ', 36: 'data' }
for (const [at, word] of Object.entries(words)) for (let i = 0; i < 4; i++) bytes.setUint8(Number(at) + i, word.charCodeAt(i))
for (const [at, value] of [[4, 36 + 2 * rate], [16, 16], [24, rate], [28, 2 * rate], [40, 2 * rate]]) bytes.setUint32(at, value, true)
for (const [at, value] of [[20, 1], [22, 1], [32, 2], [34, 16]]) bytes.setUint16(at, value, true)
const media = await openMedia(new Blob([bytes]))
const { times } = align({ audio: new Float32Array(rate) }, { fps: 10, sampleRate: rate })
document.getElementById('text').textContent = media.duration + ' ' + times.length
media.close()
document.title = 'done'
`,
  'types.ts': `import { type ChatChunk, GlmError, type Glm, loadGlm } from 'glm-webgpu'
const glm: Glm = await loadGlm('pocket')
for await (const chunk of await glm.chat.completions.create({ messages: [{ role: 'user', content: 'Hi' }], stream: true })) {
  const text: string = (chunk satisfies ChatChunk).choices[0]?.delta.content ?? ''
  if (!text) throw new GlmError('internal', 'empty')
}
`,
}

let tarball: string
let files: string[]

beforeAll(() => {
  const [packed] = JSON.parse(npmIn(root, ['pack', '--json', '--ignore-scripts', '--pack-destination', folder]))
  tarball = join(folder, packed.filename)
  files = packed.files.map((file: { path: string }) => file.path)
  mkdirSync(app)
  mkdirSync(join(app, 'time'))
  for (const [name, text] of Object.entries(page)) writeFileSync(join(app, name), text)
  npmIn(app, ['install', '--ignore-scripts', '--prefer-offline', '--no-audit', '--no-fund', tarball])
  symlinkSync(join(root, 'node_modules/vite'), join(app, 'node_modules/vite'), 'junction') // the app's own Vite, without fetching it again
})

afterAll(() => rmSync(folder, { recursive: true, force: true }))

describe('what is in it', () => {
  test('only what people need', () => {
    const rest = files.filter((file) => !/^(dist\/.+|README\.md|CHANGELOG\.md|LICENSE|package\.json)$/.test(file))
    expect(rest).toEqual([])
    expect(files.filter((file) => file.startsWith('dist/demo/'))).toEqual([])
    const needed = [
      'dist/index.js',
      'dist/index.d.ts',
      'dist/worker.js',
      'dist/tools.js',
      'dist/formats.js',
      'dist/media.js',
      'dist/agent.js',
      'dist/containers.js',
      'dist/prepare.js',
      'dist/shown.js',
      'dist/vision.js',
      'dist/cli.js',
      'dist/pocket/model.safetensors',
      'README.md',
      'LICENSE',
    ]
    expect(files).toEqual(expect.arrayContaining(needed))
  })

  test('browser entries know neither Dawn nor Node', () => {
    for (const entry of ['index', 'worker', 'tools', 'media', 'agent', 'prepare', 'shown', 'vision']) {
      expect(installed(`dist/${entry}.js`), entry).not.toMatch(/\b(from|import)\s*\(?\s*["'`](webgpu|node:)/)
    }
  })

  test('main and worker stay small', () => {
    const size = (entry: string) => gzipSync(installed(`dist/${entry}.js`), { level: 9 }).length
    const [index, worker] = [size('index'), size('worker')]
    expect(index).toBeLessThanOrEqual(bounds.index)
    expect(worker).toBeLessThanOrEqual(bounds.worker)
    expect(index + worker).toBeLessThanOrEqual(bounds.together)
  })

  test('publint finds nothing', () => {
    const { status, output } = tool('publint/src/cli.js', ['run', tarball, '--strict'])
    expect(status, output).toBe(0)
  })

  test('attw finds the types from every kind of import', () => {
    const { status, output } = tool('@arethetypeswrong/cli/dist/index.js', [tarball, '--profile', 'esm-only'])
    expect(status, output).toBe(0)
  })

  test.each([
    ['bundler', 'esnext'],
    ['nodenext', 'nodenext'],
  ])('its types compile in an app that has nothing else (%s)', (moduleResolution, module) => {
    const compilerOptions = { strict: true, noEmit: true, target: 'es2022', lib: ['es2022', 'dom'], types: [], module, moduleResolution }
    writeFileSync(join(app, 'tsconfig.json'), JSON.stringify({ compilerOptions, files: ['types.ts'] }))
    const { status, output } = tool('typescript/bin/tsc', ['-p', app])
    expect(status, output).toBe(0)
  })
})

describe('five lines in a Vite app', () => {
  let browser: Browser

  beforeAll(async () => {
    const { chrome } = await machine()
    browser = await chromium.launch({ executablePath: chrome, args: chromiumFlags.swiftshader })
  })

  afterAll(() => browser?.close())

  test('vite build, served as files: a page that only chats fetches no code for media', async () => {
    const { status, output } = tool('vite/bin/vite.js', ['build', '--base', './'], app)
    expect(status, output).toBe(0)
    const server = await serve({ folder: join(app, 'dist') })
    try {
      const { scripts } = await expectAnswer(browser, server.url)
      const having = (words: RegExp) => scripts.filter((path) => words.test(readFileSync(join(app, 'dist', path), 'utf8')))
      expect(having(/UNSORTED|There is no action/)).toEqual([]) // of captions, of agents
      expect(having(/out_of_memory/)).not.toEqual([])
      expect(scripts.filter((path) => /shown|vision|formats|media/.test(path))).toEqual([])
    } finally {
      await server.close()
    }
  })

  test('a page about time: media come along, the demuxer when a file is opened', async () => {
    const { status, output } = tool('vite/bin/vite.js', ['build', 'time', '--base', './'], app)
    expect(status, output).toBe(0)
    const server = await serve({ folder: join(app, 'time/dist') })
    try {
      expect((await expectAnswer(browser, server.url)).text).toBe('1 100')
    } finally {
      await server.close()
    }
  })

  test('vite dev', async () => {
    const { url, close } = await viteDev()
    try {
      await expectAnswer(browser, url)
    } finally {
      close()
    }
  })
})

/** Opens the page and waits for its answer, and tells which scripts it fetched; nothing may go wrong on the way, and nothing may be asked of another address. */
async function expectAnswer(browser: Browser, url: string): Promise<{ text: string; scripts: string[] }> {
  const context = await browser.newContext()
  try {
    const page = await context.newPage()
    const faults = faultsOf(page, new URL(url).origin)
    const scripts: string[] = []
    context.on('request', (request) => request.url().endsWith('.js') && scripts.push(new URL(request.url()).pathname))
    await page.goto(url)
    await page
      .waitForFunction(() => document.title === 'done', undefined, { timeout: 240_000 })
      .catch((error) => faults.push(String(error)))
    expect(faults).toEqual([])
    const text = (await page.textContent('#text'))?.trim() ?? ''
    expect(text).not.toBe('')
    return { text, scripts }
  } finally {
    await context.close()
  }
}

function faultsOf(page: Page, origin: string): string[] {
  const faults: string[] = []
  page.on('console', (message) => message.type() === 'error' && faults.push(message.text()))
  page.on('pageerror', (error) => faults.push(String(error)))
  page.context().on('requestfailed', (request) => faults.push(`${request.url()} ${request.failure()?.errorText}`))
  page.context().on('response', (response) => response.status() >= 400 && faults.push(`${response.url()} ${response.status()}`))
  page
    .context()
    .on('request', (request) => !/^(data|blob):/.test(request.url()) && !request.url().startsWith(origin) && faults.push(request.url()))
  return faults
}

function viteDev(): Promise<{ url: string; close: () => void }> {
  const arguments_ = [join(root, 'node_modules/vite/bin/vite.js'), '--host', '127.0.0.1', '--port', '0']
  const child: ChildProcess = spawn(process.execPath, arguments_, { cwd: app, env: { ...process.env, NO_COLOR: '1' } })
  let output = ''
  return new Promise((resolve, reject) => {
    const listen = (data: Buffer) => {
      output += data
      const url = /http:\/\/127\.0\.0\.1:\d+\//.exec(output)?.[0]
      if (url) resolve({ url, close: () => child.kill() })
    }
    child.stdout?.on('data', listen)
    child.stderr?.on('data', listen)
    child.once('exit', () => reject(new Error(`vite dev ended: ${output}`)))
  })
}

function npmIn(cwd: string, arguments_: string[]): string {
  const { status, stdout, stderr } = npm(arguments_, { cwd, encoding: 'utf8' })
  if (status !== 0) throw new Error(`npm ${arguments_.join(' ')} failed: ${stdout}${stderr}`)
  return stdout
}

function tool(file: string, arguments_: string[], cwd = root): { status: number | null; output: string } {
  const environment = { ...process.env, NO_COLOR: '1', NODE_ENV: '' } // vitest's NODE_ENV=test is not the app's
  const { status, stdout, stderr } = spawnSync(process.execPath, [join(root, 'node_modules', file), ...arguments_], {
    cwd,
    encoding: 'utf8',
    env: environment,
  })
  return { status, output: stdout + stderr }
}

function installed(file: string): string {
  return readFileSync(join(app, 'node_modules/glm-webgpu', file), 'utf8')
}
