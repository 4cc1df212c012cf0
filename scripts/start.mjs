// `npm start`: from a fresh clone to the demo in a browser. Installs what is missing, builds what is stale, serves, prints the address.
//   --port N   the port to take (default 5173, else the next free one)
//   --open     opens the address in the default browser
import './node-version.mjs'
import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { build, isStale } from './build.mjs'
import { serve } from './serve.mjs'
import { installDependencies } from './setup.mjs'

const demo = fileURLToPath(new URL('../dist/demo', import.meta.url))

/** Cross-origin isolation: exact timers for the figures on the page, and proof that the package works with it. */
const headers = { 'cross-origin-opener-policy': 'same-origin', 'cross-origin-embedder-policy': 'require-corp' }

async function start() {
  const { port, open } = options()
  installDependencies()
  if (isStale()) {
    console.error('start: building (npm run build).')
    await build()
  }
  if (!existsSync(demo)) throw new Error('dist/demo was not built; see the lines above.')
  const server = await serveFrom(port)
  console.log(`\n  The demo runs at ${server.url}  (Ctrl-C ends it)\n`)
  if (open) openBrowser(server.url)
  for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => server.close().then(() => process.exit(0)))
}

function options() {
  const { values } = parseArgs({ options: { port: { type: 'string', default: '5173' }, open: { type: 'boolean', default: false } } })
  const port = Number(values.port)
  if (!Number.isInteger(port) || port < 0 || port > 65535) throw new Error(`--port takes a number from 0 to 65535, not "${values.port}".`)
  return { port, open: values.open }
}

/** The first free port from `port` on. */
async function serveFrom(port) {
  for (let next = port; ; next++) {
    try {
      return await serve({ folder: demo, port: next, headers })
    } catch (error) {
      if (error.code !== 'EADDRINUSE' || next - port >= 100 || next >= 65535) throw error
    }
  }
}

function openBrowser(url) {
  const [command, ...rest] = { darwin: ['open'], win32: ['cmd', '/c', 'start', ''] }[process.platform] ?? ['xdg-open']
  spawn(command, [...rest, url], { stdio: 'ignore', detached: true })
    .on('error', () => {}) // no desktop: the address is printed anyway
    .unref()
}

start().catch((error) => {
  console.error(`start: ${error.message}`)
  process.exitCode = 1
})
