// Measures a loaded model: a prompt, the real decode loop, the same passes played on the GPU alone, and how much of what the adapter can read they read.
import type { BenchOptions, BenchPhase, BenchResult } from '../api/types.ts'
import { GlmError, throwIfAborted } from '../errors.ts'
import type { Recording } from '../gpu/recorder.ts'
import { replayTime } from '../gpu/stopwatch.ts'
import { stretch } from '../kernels/attention.ts'
import type { Matrix } from '../kernels/matrix.ts'
import { pageSize } from '../kernels/rows.ts'
import { timeStream } from './bandwidth.ts'
import type { Engine } from './engine.ts'
import type { Page } from './pages.ts'
import { capacityFor } from './runner.ts'
import { watch } from './watch.ts'

type Plan = Required<Pick<BenchOptions, 'prompt' | 'gen' | 'rows' | 'context'>>

const defaults = { prompt: 512, gen: 64, rows: 1 }
/** Tokens of each sequence before counting begins. */
const lead = 8
/** Positions past the counted ones: bursts that begin before counting ends, and what a sequence makes while the others join. */
const slack = (rows: number, software = false) => (software ? 12 + 4 * (rows - 1) : 32 + 16 * (rows - 1))
const greedy = { temperature: 0, topK: 0, topP: 1, seed: [0, 0] } as const

/** Positions a model has to be loaded with for these options. */
export function benchContext(options: BenchOptions): number {
  const { prompt, gen, rows } = { ...defaults, ...options }
  return rows * pageSize * Math.ceil((Math.max(prompt, options.context ?? 1) + gen + lead + slack(rows)) / pageSize)
}

/** Throws `request_invalid` for numbers that do not fit, and while something else runs. */
export async function bench(
  engine: Engine,
  options: BenchOptions = {},
  onPhase: (phase: BenchPhase) => void = () => {},
  signal?: AbortSignal,
): Promise<BenchResult> {
  const plan = planOf(engine, options)
  const { scheduler, info } = engine
  if (scheduler.size > 0) throw invalid('The model is answering; measure when it is done.')
  const begin = (phase: BenchPhase) => {
    onPhase(phase)
    throwIfAborted(signal)
  }
  begin('prefill')
  const { prompt, ttft } = await timePrompt(engine, plan.prompt, signal)
  begin('decode')
  const loop = await timeLoop(engine, plan, prompt, signal)
  begin('gpu')
  const gpu = await scheduler.alone(() => timePass(engine, plan))
  begin('stream')
  const bandwidth = await scheduler.alone(() => timeStream(engine))
  const bytes = weightBytes(engine) + loop.positions * (info.bytes.kv / (engine.pages.count * pageSize))
  const { adapter } = info
  const each = (name: keyof Sample) => loop.sample[name] / loop.sample.tokens
  return {
    prefill_tok_s: (1000 * plan.prompt) / ttft,
    decode_tok_s: (1000 * plan.rows) / each('wall'),
    ttft_ms: ttft,
    gpu_ms_per_token: gpu,
    host_ms_per_token: each('host'),
    dispatches_per_token: each('dispatches'),
    submits_per_token: each('submits'),
    encoders_per_token: each('encoders'),
    bind_groups_per_token: each('bind_groups'),
    creates_per_token: each('creates'),
    reads_per_token: each('maps'),
    bytes_per_token: Math.round(bytes),
    stream_gb_s: bandwidth / 1e6,
    stream_share: bytes / each('wall') / bandwidth,
    adapter: adapter.description || [adapter.vendor, adapter.architecture].filter(Boolean).join(' '),
    software: adapter.software,
    model: info.id,
    weights: info.weights,
    ...plan,
  }
}

function planOf({ info, pages, runner, gpu }: Engine, options: BenchOptions): Plan {
  const whole = (name: keyof Plan, value: number, most: number, why: string): number => {
    if (Number.isInteger(value) && value >= 1 && value <= most) return value
    throw invalid(`${name} is ${value}; use a whole number from 1 to ${most}${why}.`)
  }
  const rows = whole('rows', options.rows ?? defaults.rows, runner.decodeRows.shape.slots, '')
  const each = Math.min(info.context, Math.floor(pages.count / rows) * pageSize) - lead - slack(rows, gpu.info.software)
  if (each < 2)
    throw invalid(`${rows} rows do not fit the context of ${info.context}; load the model with a larger one, or use fewer rows.`)
  const why = `, what the context of ${info.context} leaves${rows > 1 ? ` to each of ${rows} rows` : ''}`
  const gen = whole('gen', options.gen ?? Math.min(defaults.gen, each - 1), each - 1, why)
  const prompt = whole('prompt', options.prompt ?? Math.min(defaults.prompt, each - gen), each - gen, why)
  return { prompt, gen, rows, context: whole('context', options.context ?? prompt, each - gen, why) }
}

/** Random, so that no prefix is found in the pages; what they say does not matter. */
const ids = ({ info }: Engine, length: number): number[] => Array.from({ length }, () => Math.floor(Math.random() * info.vocabulary))

/** Milliseconds to the first token, of the first run in which nothing had to be compiled; never of the very first, which also finds the pace. */
async function timePrompt(engine: Engine, length: number, signal?: AbortSignal): Promise<{ prompt: number[]; ttft: number }> {
  const { counts } = engine.runner
  for (let run = 0; ; run++) {
    const before = counts.recordings
    const prompt = ids(engine, length)
    const ttft = await prefill(engine, prompt, signal)
    if (run > 0 && counts.recordings === before) return { prompt, ttft }
  }
}

async function prefill({ scheduler }: Engine, prompt: number[], signal?: AbortSignal): Promise<number> {
  const began = performance.now()
  await scheduler.run({ prompt, sampling: greedy, maxTokens: 1, signal, onToken: () => false })
  return performance.now() - began
}

/** What is counted, or the clock, at one moment. */
type Sample = Record<'wall' | 'tokens' | 'host' | 'dispatches' | 'submits' | 'maps' | 'encoders' | 'bind_groups' | 'creates', number>

/** The scheduler's own loop over `rows` sequences, from `lead` tokens on for `gen` more; and the positions a pass reads, all sequences together. */
async function timeLoop(engine: Engine, plan: Plan, prompt: number[], signal?: AbortSignal) {
  const { rows, gen, context } = plan
  const length = Math.max(1, context - lead)
  const prompts = Array.from({ length: rows }, (_, row) =>
    [...(row === 0 ? prompt.slice(0, length) : []), ...ids(engine, length)].slice(0, length),
  )
  for (const far of [1, context + gen + slack(rows)]) await recordingOf(engine, rows, far)
  // Bursts grow from one generation to the next, where several are in flight.
  for (let round = engine.gpu.info.software ? 3 : 0; round < 4; round++) {
    const short = prompts.map(() => ids(engine, 4))
    await decode(engine, short, { gen: lead, signal })
  }
  // Prompts that stand in the pages let all sequences join at once.
  if (rows > 1) for (const one of prompts) await prefill(engine, one, signal)
  return decode(engine, prompts, { gen, signal })
}

async function decode(engine: Engine, prompts: number[][], { gen, signal }: { gen: number; signal: AbortSignal | undefined }) {
  const { runner, scheduler, gpu } = engine
  const watched = watch(gpu.device)
  const made = prompts.map(({ length }) => length)
  let tokens = 0
  let first: Sample | undefined
  let last: Sample | undefined
  let positions = 0
  // Bursts end with the last sequence: its tokens are the clock. A microtask later the burst is handed out, and the next one not yet submitted.
  const tick = () => {
    const sample: Sample = { wall: performance.now(), tokens, ...runner.counts, ...watched.counts }
    if (!first && tokens > lead) {
      first = sample
      positions = made.reduce((sum, one) => sum + one, (prompts.length * gen) / 2)
    } else if (first && tokens - first.tokens >= gen) last ??= sample
  }
  const run = (prompt: number[], row: number) =>
    scheduler.run({
      prompt,
      sampling: greedy,
      maxTokens: lead + gen + slack(prompts.length, gpu.info.software),
      signal,
      onToken: () => {
        watched.token()
        made[row]!++
        if (row === prompts.length - 1 && tokens++ >= lead) queueMicrotask(tick)
        return !last
      },
    })
  try {
    await Promise.all(prompts.map(run))
  } finally {
    watched.stop()
  }
  if (!first || !last) throw new GlmError('internal', 'The measured loop ended early; please report this.')
  const [from, to] = [first, last]
  const sample = Object.fromEntries(Object.entries(to).map(([name, value]) => [name, value - from[name as keyof Sample]])) as Sample
  return { sample, positions }
}

/** The passes of a burst over `rows` sequences up to `position`. */
function recordingOf({ runner }: Engine, rows: number, position: number): Promise<Recording> {
  const capacity = capacityFor(rows, runner.decodeRows.shape.slots, true)
  return runner.recording(runner.decodeRows, capacity, capacity, true, position > stretch)
}

/** Passes before the rows are put back to where they began. */
const span = 16

/** Milliseconds of one pass at `context` positions. The pages hold nothing of use, which costs the same. */
async function timePass(engine: Engine, { rows, context }: Plan): Promise<number> {
  const { runner, pages, buffers, gpu } = engine
  const { decodeRows } = runner
  const recording = await recordingOf(engine, rows, context + span)
  const held = Array.from({ length: rows }, (): Page[] => [])
  const kept = buffers.make('rows of the bench', decodeRows.buffer.size)
  const copy = (encoder: GPUCommandEncoder, from: GPUBuffer, to: GPUBuffer) => encoder.copyBufferToBuffer(from, 0, to, 0, kept.size)
  try {
    for (const own of held) if (!pages.grow(own, context + span)) throw invalid('The KV pool is full; measure when nothing else runs.')
    decodeRows.write(
      held.map((_, slot) => ({ token: 0, position: context - 1, slot })),
      held.map((_, slot) => slot),
    )
    for (const [slot, own] of held.entries()) {
      decodeRows.writeSlot(slot)
      decodeRows.writePages(
        slot,
        own.map(({ id }) => id),
      )
    }
    const encoder = gpu.device.createCommandEncoder()
    copy(encoder, decodeRows.buffer, kept)
    gpu.device.queue.submit([encoder.finish()])
    return await replayTime(gpu, recording, { span, before: (encoder) => copy(encoder, kept, decodeRows.buffer) })
  } finally {
    for (const own of held) pages.close(own)
    buffers.free(kept)
  }
}

/** Every matrix of the layers and the head, scales among them; of the embedding a pass reads single rows. */
function weightBytes({ weights: { head, layers } }: Engine): number {
  const bytesOf = ({ parts }: Matrix) => parts.reduce((sum, { buffer }) => sum + buffer.size, 0)
  return layers.reduce((sum, { qkv, o, gateUp, down }) => sum + [qkv, o, gateUp, down].map(bytesOf).reduce((a, b) => a + b), bytesOf(head))
}

const invalid = (sentence: string) => new GlmError('request_invalid', sentence)
