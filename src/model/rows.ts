// The host's side of shaders/rows.wgsl: writes rows, slots and page lists; the GPU advances them.
import { type RowsShape, rowsLayout, slotHeader } from '../kernels/rows.ts'

export interface Row {
  /** `noToken`: the row is embedded already. */
  token: number
  position: number
  slot: number
  /** Line of the rope table; default: the position. */
  turn?: number
}

/** In no vocabulary: what the lookup of embeddings leaves alone. */
export const noToken = 0xffffffff

/** How the tokens of a slot are chosen. */
export interface SamplingSettings {
  /** 0 is greedy. */
  temperature: number
  /** 0 keeps all. */
  topK: number
  /** 1 keeps all. */
  topP: number
  /** 64 bits as [low, high]. */
  seed: readonly [number, number]
  /** 0 or absent keeps all; else tokens at least this times as likely as the likeliest. */
  minP?: number
  /** Hugging Face's, over prompt and answer; 1 or absent is none. */
  repetition?: number
  /** OpenAI's, over the answer; 0 or absent is none. */
  presence?: number
  frequency?: number
  /** Added to the logits of tokens. */
  bias?: readonly (readonly [token: number, value: number])[]
  /** Log-probabilities of the chosen token and of so many of the likeliest; absent: none at all. */
  logprobs?: number
}

/** Bits of the word that tells the shaders what a slot asks for. */
export const asks = { bias: 1, counts: 2, mask: 4, logprobs: 8 } as const

/** What settings ask for beside temperature and cuts: 0 is a plain draw. */
export function asked({ bias, repetition = 1, presence = 0, frequency = 0, logprobs }: SamplingSettings): number {
  const counts = repetition !== 1 || presence !== 0 || frequency !== 0
  return (bias?.length ? asks.bias : 0) | (counts ? asks.counts : 0) | (logprobs === undefined ? 0 : asks.logprobs)
}

const greedy: SamplingSettings = { temperature: 0, topK: 0, topP: 1, seed: [0, 0] }

export class Rows {
  readonly shape: RowsShape
  readonly buffer: GPUBuffer
  readonly layout: ReturnType<typeof rowsLayout>
  readonly #queue: GPUQueue

  constructor(shape: RowsShape, buffer: GPUBuffer, queue: GPUQueue) {
    this.shape = shape
    this.buffer = buffer
    this.layout = rowsLayout(shape)
    this.#queue = queue
  }

  /** What the next pass runs over: rows, and which of them want logits. */
  write(rows: readonly Row[], logits: readonly number[]): void {
    const words = new Uint32Array(this.layout.table + rows.length * 4)
    words[0] = rows.length
    words[1] = logits.length
    rows.forEach(({ token, position, slot, turn = position }, index) => {
      words.set([token, position, slot, turn], this.layout.table + index * 4)
    })
    this.#put(0, words)
    this.#put(this.layout.logits, Uint32Array.from(logits))
  }

  /** A slot's sampling and the index of its next draw; `masked`: its mask counts. */
  writeSlot(slot: number, settings: SamplingSettings = greedy, draw = 0, masked = false): void {
    const words = new Uint32Array(slotHeader)
    const floats = new Float32Array(words.buffer)
    floats[0] = settings.temperature
    words[1] = settings.topK
    floats[2] = settings.topP
    words[3] = settings.seed[0]
    words[4] = settings.seed[1]
    words[5] = draw
    // Min p as a distance from the greatest logit.
    floats[6] = settings.minP ? settings.temperature * Math.log(settings.minP) : -3e38
    words[7] = asked(settings) | (masked ? asks.mask : 0)
    floats[8] = settings.repetition ?? 1
    floats[9] = settings.presence ?? 0
    floats[10] = settings.frequency ?? 0
    words[11] = settings.logprobs ?? 0
    this.#put(this.layout.slots + slot * this.layout.stride, words)
  }

  /** Pages `from`.. of a slot. Queue order keeps this ahead of the passes that need them. */
  writePages(slot: number, pages: readonly number[], from = 0): void {
    const at = this.layout.slots + slot * this.layout.stride + slotHeader + from
    this.#put(at, Uint32Array.from(pages.slice(from)))
  }

  #put(offset: number, words: Uint32Array<ArrayBuffer>): void {
    if (words.length > 0) this.#queue.writeBuffer(this.buffer, offset * 4, words)
  }
}
