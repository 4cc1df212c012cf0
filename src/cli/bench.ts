// `bench`: how fast a model runs here and what each token costs, as a table and where asked as JSON.
import type { BenchPhase, BenchResult, KvFormat } from '../api/types.ts'
import { benchContext, bench as measure } from '../engine/bench.ts'
import { tuneModel } from '../engine/tuning.ts'
import { GlmError } from '../errors.ts'
import { parseChoice } from '../model/choices.ts'
import type { Call } from './arguments.ts'
import { openEngine, type Setting, sourceOf } from './model.ts'

const phases: Record<BenchPhase, string> = {
  prefill: 'Measuring the prompt.',
  decode: 'Measuring the decode loop.',
  gpu: 'Measuring the GPU alone.',
  stream: 'Measuring what the adapter can read.',
}

export async function bench({ model, values }: Call<'bench'>, setting: Setting): Promise<number> {
  const { terminal, signal } = setting
  const { weights, hub, json, kv, without, variant, untuned, ...options } = values
  const left = leftOut(without)
  const { engine } = await openEngine(
    await sourceOf(model!, setting, { hub }),
    {
      weights,
      context: benchContext(options),
      ...(kv === undefined ? {} : { kv: kv as KvFormat }),
      without: [...(left.has('f16') ? (['shader-f16'] as const) : []), ...(left.has('subgroups') ? (['subgroups'] as const) : [])],
      ...(left.has('dot8') ? { dot8: false } : {}),
      serial: left.has('flight'),
      ...(variant === undefined ? {} : { choose: chosen(variant) }),
    },
    setting,
  )
  // No model waits for this in a page; here the figures do.
  if (!untuned) await engine.tune(tuneModel, tuningTime)
  const result = rounded(await measure(engine, options, (phase) => terminal.log(phases[phase]), signal))
  await engine.close()
  terminal.print(table(result))
  if (json) terminal.print(`${JSON.stringify(result)}\n`)
  return 0
}

function chosen(id: string) {
  const choice = parseChoice(id)
  if (!choice)
    throw new GlmError('request_invalid', `--variant is ${JSON.stringify(id)}; write kernel:threads:lanes:stripes, as matmul:128:16:1.`)
  return { decode: () => choice }
}

/** Milliseconds for the tuner, enough for every shape of a model. */
const tuningTime = 60_000
const parts = ['f16', 'dot8', 'subgroups', 'flight']

function leftOut(list = ''): Set<string> {
  const names = list === '' ? [] : list.split(',')
  const bad = names.find((name) => !parts.includes(name))
  if (bad !== undefined) throw new GlmError('request_invalid', `--without names ${JSON.stringify(bad)}; use ${parts.join(', ')}.`)
  return new Set(names)
}

/** What stands in the table: the figure, its unit, and what it is. */
const lines: [name: keyof BenchResult, unit: string, about: string][] = [
  ['prefill_tok_s', 'tok/s', 'prompt'],
  ['decode_tok_s', 'tok/s', 'decode, all sequences together'],
  ['ttft_ms', 'ms', 'to the first token'],
  ['gpu_ms_per_token', 'ms', 'GPU time of a pass'],
  ['host_ms_per_token', 'ms', 'JavaScript of a pass'],
  ['dispatches_per_token', '', 'dispatches'],
  ['submits_per_token', '', 'submits'],
  ['encoders_per_token', '', 'command encoders, one for each submit'],
  ['bind_groups_per_token', '', 'bind groups created'],
  ['creates_per_token', '', 'other objects created'],
  ['reads_per_token', '', 'reads back to the host'],
  ['bytes_per_token', 'bytes', 'weights, keys and values read'],
  ['stream_gb_s', 'GB/s', 'what a kernel that only reads reaches here'],
  ['stream_share', '', 'of that is what decoding reads'],
]

export function table(result: BenchResult): string {
  const { model, weights, adapter, prompt, gen, rows, context } = result
  const head = `${model} as ${weights} on ${adapter}: prompt ${prompt}, ${gen} tokens after ${context} positions, ${rows === 1 ? '1 sequence' : `${rows} sequences`}.`
  const figures = lines.map(([name, unit, about]) => `${String(result[name]).padStart(12)} ${unit.padEnd(6)} ${about}`)
  return `${[head, 'Figures of a pass are averages after warm-up; a pass makes one token in each sequence.', ...figures].join('\n')}\n`
}

/** Four digits say all that a measurement knows; whole numbers stay whole. */
export function rounded(result: BenchResult): BenchResult {
  const short = (value: unknown) => (typeof value === 'number' && !Number.isInteger(value) ? Number(value.toPrecision(4)) : value)
  return Object.fromEntries(Object.entries(result).map(([name, value]) => [name, short(value)])) as unknown as BenchResult
}
