// How a pass ends: a plain draw is one dispatch; with bias, penalties, a mask or log-probabilities there are two more, and state per slot.
import type { Buffers } from '../gpu/buffers.ts'
import type { Gpu } from '../gpu/device.ts'
import { adjust, adjustGroups } from '../kernels/adjust.ts'
import { logprobs, logprobWords } from '../kernels/logprobs.ts'
import { sample } from '../kernels/sample.ts'
import type { Step } from './decoder.ts'
import { asked, asks, type Rows, type SamplingSettings } from './rows.ts'

/** Of the model's own distribution: log_softmax of its logits before bias, penalties, masks and temperature. */
export interface Logprobs {
  logprob: number
  /** The likeliest first. */
  top: { token: number; logprob: number }[]
}

/** What a slot draws for. The last of `tokens` is the one that its row runs next. */
export interface Drawn {
  settings: SamplingSettings
  /** Prompt and answer. */
  tokens: readonly number[]
  /** How many of them are the answer. */
  generated: number
  /** Tokens that the next draw may choose, one bit each (1: allowed); what is missing at its end is not. */
  mask?: Uint32Array | undefined
}

/** What a pass has behind its logits: the draw alone, or all there is; log-probabilities are read only where they are wanted. */
export type Ending = 'plain' | 'full' | 'logprobs'

export function endingOf(group: readonly { settings: SamplingSettings; masked: boolean }[]): Ending {
  if (group.some(({ settings }) => settings.logprobs !== undefined)) return 'logprobs'
  return group.some(({ settings, masked }) => masked || asked(settings)) ? 'full' : 'plain'
}

export interface SamplerOptions {
  gpu: Gpu
  buffers: Buffers
  vocabulary: number
  /** What the model computed, [asked rows, vocabulary]. */
  logits: GPUBuffer
  rows: Rows
  /** Slots that are sampled from. */
  slots: number
}

type State = Record<'counts' | 'bias' | 'masks' | 'adjusted' | 'records', GPUBuffer>

/** Bit of a count that says: stands in the prompt. */
const inPrompt = 0x80000000

export class Sampler {
  readonly #options: SamplerOptions
  #state: State | undefined
  /** Whose counts and bias a slot holds: the list of its tokens. The GPU keeps the counts. */
  readonly #held = new Map<number, readonly number[]>()

  constructor(options: SamplerOptions) {
    this.#options = options
  }

  /** Bytes of the records of log-probabilities, [slots, ring]. */
  get recordBytes(): number {
    const { slots, rows } = this.#options
    return slots * rows.shape.ring * logprobWords * 4
  }

  get records(): GPUBuffer {
    return this.#made().records
  }

  /** The dispatches behind the logits. A plain slot draws the same token in either kind. */
  steps(count: number, full: boolean): Step[] {
    const { gpu, logits, rows, vocabulary } = this.#options
    const draw = { kernel: sample(vocabulary, rows.shape, gpu.info.software), groups: [count] } as const
    if (!full) return [{ ...draw, buffers: { x: logits, rows: rows.buffer } }]
    const { counts, bias, masks, adjusted, records } = this.#made()
    const bound = { x: logits, rows: rows.buffer }
    return [
      {
        kernel: adjust(vocabulary, rows.shape),
        buffers: { ...bound, y: adjusted, weights: bias, aux: counts, source: masks },
        groups: adjustGroups(vocabulary, count),
      },
      { ...draw, buffers: { x: adjusted, rows: rows.buffer } },
      { kernel: logprobs(vocabulary, rows.shape), buffers: { ...bound, y: records }, groups: [count] },
    ]
  }

  /** Sets a slot up for its next draws; a mask holds for one of them. */
  write(slot: number, { settings, tokens, generated, mask }: Drawn): void {
    this.#options.rows.writeSlot(slot, settings, generated, mask !== undefined)
    if (mask) this.#put('masks', slot, padded(mask, Math.ceil(this.#options.vocabulary / 32)))
    if (this.#held.get(slot) === tokens) return
    this.#held.set(slot, tokens)
    if (asked(settings) & asks.counts) this.#put('counts', slot, this.#counts(tokens, generated))
    if (asked(settings) & asks.bias) this.#put('bias', slot, this.#bias(settings))
  }

  /** All but the row's own token where that is of the answer: the GPU counts it. */
  #counts(tokens: readonly number[], generated: number): Uint32Array<ArrayBuffer> {
    const counts = new Uint32Array(this.#options.vocabulary)
    const answer = tokens.length - generated
    tokens.forEach((token, index) => {
      if (index < answer) counts[token] = inPrompt
      else if (index < tokens.length - 1) counts[token]!++
    })
    return counts
  }

  #bias({ bias = [] }: SamplingSettings): Float32Array<ArrayBuffer> {
    const values = new Float32Array(this.#options.vocabulary)
    for (const [token, value] of bias) values[token] = value
    return values
  }

  #put(name: keyof State, slot: number, words: Uint32Array<ArrayBuffer> | Float32Array<ArrayBuffer>): void {
    this.#options.gpu.device.queue.writeBuffer(this.#made()[name], slot * words.byteLength, words)
  }

  #made(): State {
    const { buffers, vocabulary, slots } = this.#options
    this.#state ??= {
      counts: buffers.make('token counts', slots * vocabulary * 4),
      bias: buffers.make('bias', slots * vocabulary * 4),
      masks: buffers.make('masks', slots * Math.ceil(vocabulary / 32) * 4),
      adjusted: buffers.make('adjusted logits', slots * vocabulary * 4),
      records: buffers.make('log-probabilities', this.recordBytes),
    }
    return this.#state
  }
}

function padded(mask: Uint32Array, words: number): Uint32Array<ArrayBuffer> {
  const whole = new Uint32Array(words)
  whole.set(mask.subarray(0, words))
  return whole
}

/** The record of one draw in `words`, with the `count` likeliest. */
export function readLogprobs(words: Uint32Array<ArrayBuffer>, record: number, count: number): Logprobs {
  const own = words.subarray(record * logprobWords, (record + 1) * logprobWords)
  const values = new Float32Array(own.buffer, own.byteOffset, own.length)
  const top = Array.from({ length: count }, (_, place) => ({ token: own[1 + 2 * place]!, logprob: values[2 + 2 * place]! }))
  // A vocabulary of fewer tokens than asked for fills the rest with none.
  return { logprob: values[0]!, top: top.filter(({ token }) => token !== 0xffffffff) }
}
