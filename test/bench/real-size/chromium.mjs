// The two visits in a Chromium of our own, with a profile on disk, so that quota and IndexedDB are a user's.
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { chromiumFlags } from '../../../scripts/chromium-flags.mjs'
import { serve } from '../../../scripts/serve.mjs'
import { setup } from '../../../scripts/setup.mjs'
import { watch } from './memory.mjs'

const root = fileURLToPath(new URL('../../..', import.meta.url))
const address = 'test/bench/real-size/'

/** lavapipe where it is there: SwiftShader has no f16 and is slower. */
async function browserOf(adapter) {
  const { chrome, chromeLavapipe } = await setup({ install: false, log: () => {} })
  const found = { lavapipe: chromeLavapipe, swiftshader: chrome }
  const chosen = adapter ?? (chromeLavapipe ? 'lavapipe' : 'swiftshader')
  if (!found[chosen]) throw new Error(`there is no Chromium for ${chosen} on this machine; run \`node scripts/setup.mjs\`.`)
  return { adapter: chosen, executablePath: found[chosen], args: chromiumFlags[chosen] }
}

/**
 * Loads the model, reloads the page, and loads it again. Each visit comes back with what the page told, what the server sent, the peaks, and the
 * worker's spans. `cpuProfile`: a folder that the worker's CPU profiles are written into.
 */
export async function twoVisits({ server, argument, folder, adapter, minutes, cpuProfile }) {
  const { chromium } = await import('playwright')
  const browser = await browserOf(adapter)
  rmSync(folder, { recursive: true, force: true })
  mkdirSync(folder, { recursive: true })
  const pages = await serve({ folder: root })
  const context = await chromium.launchPersistentContext(folder, { ...browser, headless: true })
  let late = false
  const timer = setTimeout(() => {
    late = true
    void context.close()
  }, minutes * 60_000)
  try {
    const page = context.pages()[0] ?? (await context.newPage())
    page.on('console', (message) => console.error(`real-size: page: ${message.text()}`))
    await page.goto(`${pages.url}${address}page.html`)
    const onWorker = cpuProfile ? startProfile : undefined
    const watched = await watch(page, { profile: folder, onWorker })
    const visits = []
    for (const name of ['first', 'second']) {
      console.error(`real-size: ${name} visit`)
      if (visits.length > 0) await page.reload()
      visits.push(await visit({ page, watched, server, argument }))
      if (cpuProfile) await stopProfile(watched, join(cpuProfile, `${name}.cpuprofile`))
    }
    return { adapter: browser.adapter, version: watched.version, visits }
  } catch (error) {
    throw late ? new Error(`given up after ${minutes} minutes.`) : error
  } finally {
    clearTimeout(timer)
    await context.close()
    await pages.close()
  }
}

async function visit({ page, watched, server, argument }) {
  server.reset()
  const peaks = watched.start()
  const began = Date.now()
  const figures = await page
    .evaluate(
      async ([module, argument]) => (await import(module)).visit(argument),
      [`/${address}page.js`, { ...argument, entry: '/dist/index.js', worker: `/${address}worker.js`, model: server.url }],
    )
    .finally(watched.stop)
  const { last, ...served } = server.count
  return { ...figures, peaks, served, ...(last ? { lastByte: (last - began) / 1000 } : {}), spans: await watched.evaluate('spans()') }
}

async function startProfile(ask) {
  await ask('Profiler.enable')
  await ask('Profiler.setSamplingInterval', { interval: 1000 })
  await ask('Profiler.start')
}

async function stopProfile({ ask }, path) {
  mkdirSync(join(path, '..'), { recursive: true })
  writeFileSync(path, JSON.stringify((await ask('Profiler.stop')).profile))
  console.error(`real-size: wrote ${path}`)
}
