// Readings of peers that this bench cannot run (their models need tool chains of their own), taken once; and what we hold ourselves to.

/** Where and how every stored reading was taken. */
export const storedNote = 'one run each, Chromium 156 on lavapipe 25, two CPU cores, quiet machine, 2026-11'

const reading = { adapter: 'chromium-lavapipe', prompt: 32, rows: 1, measured: 'stored' }
const cut = { ...reading, shape: 'edge-1.5b-4' }

export const stored = [
  { ...cut, engine: 'wllama 3.8.1 WebGPU', decode_tok_s: 1.52, prefill_tok_s: 4.84, ttft_ms: 6600 },
  { ...cut, engine: 'wllama 3.8.1 threads', decode_tok_s: 5.1, prefill_tok_s: 10.2, note: 'two threads' },
  { ...cut, engine: 'onnxruntime-web 1.30 WebGPU', decode_tok_s: 1.98, prefill_tok_s: 1.38, note: 'INT4, block 32' },
  {
    ...reading,
    shape: 'Qwen2-0.5B',
    engine: 'web-llm 0.2.79 WebGPU',
    decode_tok_s: 0.15,
    prefill_tok_s: 0.04,
    dispatches_per_token: 243,
    submits_per_token: 244,
    note: 'another model, q4f16_1, all 24 layers',
  },
]

/** The stored peer that is measured again in every run: the others' readings move with it. */
export const yardstick = stored[0]

/** At least this many times the peer, in the same run. `scaled`: the reading times what the yardstick reads now over what it read then. */
export const targets = ['decode_tok_s', 'prefill_tok_s'].flatMap((figure) => [
  { figure, peer: 'wllama WebGPU', times: 1.5, scaled: false },
  { figure, peer: 'onnxruntime-web 1.30 WebGPU', times: 1.5, scaled: true },
])

/** What the targets are about. */
export const targetSetting = { adapter: 'chromium-lavapipe', shape: 'edge-1.5b-4', prompt: 32, rows: 1 }
