// A job in Chromium: a browser of its own, an empty page of our own server, one module of bench/page/ that measures.
import { availableParallelism } from 'node:os'
import { chromiumFlags } from '../scripts/chromium-flags.mjs'
import { serve } from '../scripts/serve.mjs'
import { setup } from '../scripts/setup.mjs'
import { checkpointOf, ggufOf, root } from './models.mjs'
import { question } from './question.mjs'
import { shapeOf } from './shapes.mjs'
import { promptOf } from './vocabulary.mjs'

const launch = {
  'chromium-swiftshader': { path: (found) => found.chrome, args: chromiumFlags.swiftshader },
  'chromium-lavapipe': { path: (found) => found.chromeLavapipe, args: chromiumFlags.lavapipe },
}

/** Threads of the peer need a page that is isolated; ours gets the same page. */
const isolated = { 'cross-origin-opener-policy': 'same-origin', 'cross-origin-embedder-policy': 'require-corp' }

/** Figures of one job. `dist` is where its build lies in the repository. */
export async function measureInChromium(job, { dist, minutes }) {
  const { chromium } = await import('playwright')
  const { path, args } = launch[job.adapter]
  const executablePath = path(await setup({ install: false, log: () => {} }))
  if (!executablePath) throw new Error(`${job.adapter} is not on this machine; run \`node scripts/setup.mjs\`.`)
  const server = await serve({ folder: root, headers: isolated })
  const browser = await chromium.launch({ executablePath, args })
  const timer = setTimeout(() => browser.close(), minutes * 60_000)
  try {
    const page = await browser.newPage()
    await page.goto(`${server.url}bench/page/`)
    const { module, argument } = call(job, dist)
    const result = await page.evaluate(async ([module, argument]) => (await import(module)).measure(argument), [module, argument])
    return { ...asRow[job.by](result, job), versions: { Chromium: browser.version() } }
  } finally {
    clearTimeout(timer)
    await browser.close()
    await server.close()
  }
}

/** Which page module measures a job, and with what. */
function call(job, dist) {
  const { by, shape, prompt, gen, context, rows, webgpu } = job
  const page = (name, argument) => ({ module: `/bench/page/${name}.js`, argument })
  if (by === 'wllama') {
    const prompts = [0, 1, 2].map((run) => promptOf(prompt, run)) // another text each: nothing is reused
    const room = Math.ceil((prompt + gen) / 256) * 256
    return page('wllama', { model: `/${ggufOf(shape)}`, webgpu, threads: availableParallelism(), prompts, gen, context: room })
  }
  const [entry, model] = [`/${dist}/index.js`, shape === 'pocket' ? 'pocket' : `/${checkpointOf(shape)}`]
  if (by === 'chat') return page('chat', { entry, model, question, runs: 3 })
  const room = Math.min(shapeOf(shape).context, rows * (Math.max(prompt, context ?? 0) + gen + 192 + 16 * rows)) // more than bench asks for
  return page('ours', { entry, model, room, settings: { prompt, gen, rows, ...(context ? { context } : {}) } })
}

const asRow = {
  bench: ({ adapter, model: _, ...figures }) => ({ ...figures, device: adapter }),
  chat: (figures) => figures,
  wllama: wllamaRow,
}

/** llama.cpp's clock begins at the first token but counts it: a token less is what was decoded in that time. */
const decodeSpeed = ({ predicted_n, predicted_ms }) => (1000 * (predicted_n - 1)) / predicted_ms

/** The best of the runs after the first; its own clock for the speeds, the page's for the first token. */
function wllamaRow({ runs, used, llama }, { webgpu }) {
  const warm = runs.slice(1)
  const [, on, of] = /offloaded (\d+)\/(\d+) layers to GPU/.exec(used.log.join('\n')) ?? []
  const onGpu = on !== undefined && on === of && /WebGPU model buffer/.test(used.log.join('\n'))
  return {
    prefill_tok_s: Math.max(...warm.map(({ timings }) => timings.prompt_per_second)),
    decode_tok_s: Math.max(...warm.map(({ timings }) => decodeSpeed(timings))),
    ttft_ms: Math.min(...warm.map(({ ttft_ms }) => ttft_ms)),
    unlike: webgpu !== onGpu,
    note: webgpu ? (onGpu ? `${on} of ${of} layers on WebGPU` : 'NOT on WebGPU: it fell back to the CPU') : `${used.threads} threads`,
    versions: { 'llama.cpp': llama },
  }
}
