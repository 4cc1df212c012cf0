// Builds dist/: the page entry, the worker, the command line, their types, the embedded models and the demo.
// One file per entry, so that a consumer's bundler finds `./worker.js` and `./pocket/*` beside `index.js` and nowhere else.
import { spawnSync } from 'node:child_process'
import { chmodSync, cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { gzipSync } from 'node:zlib'
import { shortener, strip } from './wgsl.mjs'

const repository = fileURLToPath(new URL('..', import.meta.url))

const textFiles = [
  'config.json',
  'generation_config.json',
  'tokenizer.json',
  'tokenizer_config.json',
  'chat_template.jinja',
  'model.safetensors',
]

/** What the embedded models ship; everything else in models/<name> (training script, data, README) stays home. */
export const embedded = {
  pocket: textFiles,
  'pocket-v': [...textFiles, 'preprocessor_config.json', 'video_preprocessor_config.json'],
}

const entries = [
  { name: 'index', source: 'src/index.ts', target: 'page' },
  { name: 'worker', source: 'src/worker.ts', target: 'page' },
  { name: 'tools', source: 'src/tools.ts', target: 'page' },
  { name: 'formats', source: 'src/formats.ts', target: 'page' },
  { name: 'media', source: 'src/media/index.ts', target: 'page' },
  { name: 'agent', source: 'src/text/agent.ts', target: 'page' },
  { name: 'containers', source: 'src/media/container.ts', target: 'page' },
  { name: 'prepare', source: 'src/media/prepare.ts', target: 'page' },
  // With what it uses of media: a bundler that finds media.js both here and behind index.js gives every page a share of it.
  { name: 'shown', source: 'src/media/shown.ts', target: 'page', without: ['media'] },
  // The worker fetches it by its address, so nothing stands beside it: it has what it imports.
  { name: 'vision', source: 'src/vision.ts', target: 'page', whole: true },
  // Node's decoders: package.json names them, so that no browser's bundler takes them along.
  { name: 'pictures', source: 'src/media/picture_node.ts', target: 'page', as: '#pictures' },
  { name: 'cli', source: 'src/cli.ts', target: 'node' },
]

/** Builds everything under `root` whose source is there; returns the gzip sizes of the browser entries. */
export async function build({ root = repository, log = console.error } = {}) {
  const dist = join(root, 'dist')
  rmSync(dist, { recursive: true, force: true })
  mkdirSync(dist, { recursive: true })
  for (const entry of entries) {
    if (existsSync(join(root, entry.source))) await bundle(root, entry)
    else log(`build: ${entry.source} is not there, dist/${entry.name}.js is left out`)
  }
  if (existsSync(join(root, 'src/index.ts'))) declarations(root)
  for (const [name, own] of Object.entries(embedded)) copyModel(root, name, own, log)
  if (!existsSync(join(root, 'demo/index.html'))) log('build: demo/index.html is not there, dist/demo is left out')
  else if (existsSync(join(dist, 'index.js'))) await demo(root)
  mkdirSync(join(root, '.cache'), { recursive: true })
  writeFileSync(join(root, '.cache/built'), '')
  return report(dist, log)
}

/** Whether a source is newer than the last whole build, or there was none. */
export function isStale(root = repository) {
  const stamp = join(root, '.cache/built')
  if (!existsSync(stamp) || !existsSync(join(root, 'dist'))) return true
  const built = statSync(stamp).mtimeMs
  const sources = ['src', 'shaders', 'demo'].flatMap((folder) => files(join(root, folder)))
  const models = Object.entries(embedded).flatMap(([name, own]) => own.map((file) => join(root, 'models', name, file)))
  const single = ['package-lock.json', 'tsconfig.json', 'vite.config.ts', 'scripts/build.mjs', 'scripts/wgsl.mjs'].map((file) =>
    join(root, file),
  )
  return [...sources, ...models, ...single].some((file) => existsSync(file) && statSync(file).mtimeMs > built)
}

async function bundle(root, { name, source, target, whole, without }) {
  const { build } = await import('vite')
  const forNode = target === 'node'
  await build({
    root,
    configFile: false,
    logLevel: 'warn',
    publicDir: false,
    base: './',
    plugins: [stripShaders(root), ...(forNode ? [] : [...(whole ? [] : [apart(root, source, without)]), keepUrls(join(root, 'src'))])],
    ssr: forNode ? { noExternal: true, external: ['webgpu'] } : undefined,
    build: {
      ssr: forNode ? source : undefined,
      target: forNode ? 'node20' : 'es2022',
      outDir: 'dist',
      emptyOutDir: false,
      minify: !forNode,
      modulePreload: false,
      reportCompressedSize: false,
      rolldownOptions: {
        input: join(root, source),
        preserveEntrySignatures: 'strict',
        external: forNode ? ['webgpu', /^node:/] : [],
        output: { format: 'es', entryFileNames: `${name}.js`, chunkFileNames: `${name}-[name].js` },
      },
    },
  })
  if (forNode) makeExecutable(join(root, 'dist', `${name}.js`))
}

/** What is an entry of its own stays out of the others: a page that only chats drops media, and a consumer's bundler makes lazy chunks of the rest. */
function apart(root, entry, without = []) {
  const others = entries.slice(1).filter(({ name }) => !without.includes(name))
  const files = new Map(others.map(({ name, source, as = `./${name}.js` }) => [join(root, source), as]))
  return {
    name: 'apart',
    enforce: 'pre',
    resolveId(source, importer) {
      const id = importer && source.startsWith('.') ? files.get(join(dirname(importer), source)) : undefined
      return id && join(root, entry) !== join(dirname(importer), source) ? { id, external: true } : undefined
    },
  }
}

/** WGSL goes into the bundle as small as it gets (wgsl.mjs). */
export function stripShaders(root = repository) {
  const shorten = shortener(join(root, 'shaders'))
  return {
    name: 'strip-shaders',
    enforce: 'pre',
    load(id) {
      if (!id.endsWith('.wgsl?raw')) return undefined
      return { code: `export default ${JSON.stringify(shorten(strip(readFileSync(id.slice(0, -4), 'utf8'))))}`, moduleType: 'js' }
    },
  }
}

/**
 * Keeps `new URL('./x', import.meta.url)` as written. Vite would inline or emit such files, here and again in the worker; they are for the
 * consumer's bundler. So our sources say `import.meta.url` under another name while Vite looks, and get it back at the very end, with plain quotes
 * (the minifier writes template literals, and not every bundler takes those as static).
 */
function keepUrls(sources) {
  const placeholder = '__import_meta_url__'
  return {
    name: 'keep-urls',
    enforce: 'pre',
    transform(code, id) {
      if (!id.startsWith(sources) || id.includes('?') || !code.includes('import.meta.url')) return undefined
      return { code: code.replaceAll('import.meta.url', placeholder), map: null }
    },
    generateBundle(_options, bundle) {
      for (const chunk of Object.values(bundle)) {
        if (chunk.type !== 'chunk') throw new Error(`The build emitted ${chunk.fileName}; an entry may be one JavaScript file only.`)
        chunk.code = chunk.code
          .replaceAll(placeholder, 'import.meta.url')
          .replace(/new URL\(`([^`$\\]*)`,\s*import\.meta\.url\)/g, 'new URL("$1",import.meta.url)')
          .replace(/\{type:\s*`module`/g, '{type:"module"')
          .replace(/\bimport\(`([^`$\\]*)`\)/g, 'import("$1")')
          // What the worker fetches by an address it was told: the minifier drops the words that make bundlers leave it alone.
          .replace(/\bimport\((\w+)\)/g, 'import(/* @vite-ignore */ /* webpackIgnore: true */ $1)')
      }
    },
  }
}

function makeExecutable(file) {
  const shebang = '#!/usr/bin/env node\n'
  const code = readFileSync(file, 'utf8')
  if (!code.startsWith('#!')) writeFileSync(file, shebang + code)
  chmodSync(file, 0o755)
}

/** The types of the page entry, file by file. The worker is started, never imported, so it has none. */
function declarations(root) {
  const config = join(root, '.cache/tsconfig.build.json')
  mkdirSync(dirname(config), { recursive: true })
  const compilerOptions = { noEmit: false, declaration: true, emitDeclarationOnly: true, rootDir: '../src', outDir: '../dist' }
  writeFileSync(config, JSON.stringify({ extends: '../tsconfig.json', compilerOptions, files: ['../src/index.ts'], include: [] }))
  const tsc = fileURLToPath(new URL('../node_modules/typescript/bin/tsc', import.meta.url))
  const { status, stdout, stderr } = spawnSync(process.execPath, [tsc, '-p', config], { encoding: 'utf8' })
  if (status !== 0) throw new Error(`tsc could not write the declarations:\n${stdout}${stderr}`)
  for (const file of files(join(root, 'dist'), '.d.ts')) {
    const text = readFileSync(file, 'utf8') // tsc keeps `.ts` in declarations; consumers on node16 resolution want `.js`
    writeFileSync(file, text.replace(/(from\s+|import\s*\(\s*)(['"])(\.{1,2}\/[^'"]*)\.ts\2/g, '$1$2$3.js$2'))
  }
  writeFileSync(join(root, 'dist/worker.d.ts'), '// Start it as a module worker; it exports nothing.\nexport {}\n')
}

function copyModel(root, name, own, log) {
  const missing = own.filter((file) => !existsSync(join(root, 'models', name, file)))
  if (missing.length > 0) log(`build: models/${name} lacks ${missing.join(', ')}`)
  for (const file of own) {
    if (!missing.includes(file)) cpSync(join(root, 'models', name, file), join(root, 'dist', name, file))
  }
}

async function demo(root) {
  const { build } = await import('vite')
  await build({ configFile: join(root, 'vite.config.ts'), logLevel: 'warn' })
}

function report(dist, log) {
  const sizes = {}
  for (const { name } of entries.filter(({ target }) => target === 'page')) {
    const file = join(dist, `${name}.js`)
    if (!existsSync(file)) continue
    sizes[name] = gzipSync(readFileSync(file), { level: 9 }).length
    log(`build: dist/${name}.js ${(sizes[name] / 1000).toFixed(1)} kB gzip`)
  }
  return sizes
}

/** Every file under `folder` that ends with `suffix`. */
export function files(folder, suffix = '') {
  if (!existsSync(folder)) return []
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith(suffix))
    .map((entry) => join(entry.parentPath, entry.name))
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
  build({ root: process.argv[2] ?? repository }).catch((error) => {
    console.error(`build: ${error.message}`)
    process.exitCode = 1
  })
}
