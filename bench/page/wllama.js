// The peer in a page: llama.cpp by way of wllama, on WebGPU or on CPU threads, after a warm-up the best of two runs.
import { Wllama } from '/node_modules/@wllama/wllama/esm/index.js'

export async function measure({ model, webgpu, threads, prompts, gen, context }) {
  const log = []
  const keep = (...parts) => void log.push(parts.map(String).join(' '))
  const logger = { debug: keep, log: keep, warn: keep, error: keep }
  const wllama = new Wllama({ default: '/node_modules/@wllama/wllama/esm/wasm/wllama.wasm' }, { logger })
  wllama.setCompat(null) // nothing from a CDN
  const file = await (await fetch(model)).blob()
  await wllama.loadModel([file], { n_gpu_layers: webgpu ? 99 : 0, n_ctx: context, n_threads: threads, n_parallel: 1 })
  const runs = []
  for (const prompt of prompts) runs.push(await run(wllama, prompt, gen))
  const used = { threads: wllama.getNumThreads(), log: log.filter((line) => /webgpu|offload|adapter|KV buffer|compute buffer/i.test(line)) }
  await wllama.exit()
  return { runs, used, llama: Wllama.getLibllamaVersion() }
}

async function run(wllama, prompt, gen) {
  const began = performance.now()
  let first
  let timings
  await wllama.createCompletion({
    prompt,
    max_tokens: gen,
    temperature: 0,
    ignore_eos: true,
    cache_prompt: false,
    stream: true,
    onData: (chunk) => {
      first ??= performance.now() - began
      timings = chunk.timings ?? timings
    },
  })
  return { ttft_ms: first, timings }
}
