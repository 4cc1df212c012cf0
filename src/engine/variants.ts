// The kernel variants in use: what the tuner kept from earlier loads, else what is known of the adapter; and what it finds while nobody asks.
import type { Gpu } from '../gpu/device.ts'
import type { TunedStore } from '../gpu/tuned.ts'
import { addFiles } from '../kernels/loading_files.ts'
import type { Matrix } from '../kernels/matrix.ts'
import {
  type Choice,
  type Choices,
  choiceId,
  type PrefillChoice,
  parseChoice,
  prefillChoices,
  promptKey,
  shapeKey,
  untuned,
  untunedPrefill,
} from '../model/choices.ts'
import type { Weights } from '../model/decoder.ts'
import type { tuneModel } from './tuning.ts'

export interface VariantsOptions {
  gpu: Gpu
  /** Whether activations may be rounded to 8 bits. */
  rounding: boolean
  /** A matrix has an order of its own: its input cannot be summed and reordered at once. */
  ordered?: boolean
  /** Variants that a test wants to see. */
  choose?: Partial<Choices> | undefined
  /** Reads what was kept; wanted on GPUs alone. Absent: nothing is kept. */
  tuned?: (() => Promise<TunedTools>) | undefined
  store?: TunedStore | undefined
}

/** Of gpu/tuned.ts, which a chat on a CPU does without. */
export type TunedTools = Pick<typeof import('../gpu/tuned.ts'), 'readTuned' | 'tunedStore'> & {
  tunedKey(gpu: Gpu): Promise<string>
  /** Of variants that only a tuner chooses. */
  shaders: Parameters<typeof addFiles>[0]
}

export interface TuneRequest {
  /** From tools.ts, which a chat does without. */
  by: typeof tuneModel
  budget: number
  idle: () => Promise<void>
  signal: AbortSignal
}

export class Variants implements Choices {
  readonly fused: boolean
  readonly #options: VariantsOptions
  /** Where what is measured is kept, and under which name. */
  #kept: { store: TunedStore; key: string } | undefined
  readonly #won = new Map<string, Choice>()
  readonly #prompts = new Map<string, PrefillChoice>()

  private constructor(options: VariantsOptions) {
    this.#options = options
    this.fused = options.choose?.fused ?? !options.ordered
  }

  static async open(options: VariantsOptions): Promise<Variants> {
    const variants = new Variants(options)
    const { gpu, rounding, tuned, store } = options
    if (gpu.info.software || !tuned) return variants
    const { readTuned, tunedKey, tunedStore, shaders } = await tuned()
    addFiles(shaders)
    const kept = { store: store ?? tunedStore(), key: `${await tunedKey(gpu)}${rounding ? '|rounding' : ''}` }
    variants.#kept = kept
    const { tasks } = await readTuned(kept.store, kept.key)
    variants.#adopt(Object.fromEntries(Object.entries(tasks).map(([shape, { best }]) => [shape, best])))
    return variants
  }

  decode(matrix: Matrix): Choice {
    const { gpu, rounding, choose } = this.#options
    return choose?.decode?.(matrix) ?? this.#won.get(shapeKey(matrix)) ?? untuned(matrix, gpu.info, rounding)
  }

  prefill(matrix: Matrix): PrefillChoice {
    const { gpu, rounding, choose } = this.#options
    return choose?.prefill?.(matrix) ?? this.#prompts.get(promptKey(matrix)) ?? untunedPrefill(matrix, gpu.info, rounding)
  }

  /** Names what is in use: the same text comes from the same seed where this is the same. */
  get id(): string {
    const won = [...this.#won].map(([shape, choice]) => `${shape} ${choiceId(choice)}`).concat([...this.#prompts].map(String))
    return [this.fused, this.#options.rounding, ...won.sort()].join('|')
  }

  /** Measures for `budget` milliseconds at most, between generations; true when a better variant is to be used from now on. */
  async tune(weights: Weights, { by, ...options }: TuneRequest): Promise<boolean> {
    const { gpu, rounding } = this.#options
    if (!this.#kept) return false
    const won = await by({ gpu, weights, choices: this, rounding }, { ...options, ...this.#kept })
    this.#adopt(won)
    return Object.keys(won).length > 0
  }

  #adopt(won: Record<string, string>): void {
    for (const [shape, id] of Object.entries(won)) {
      const choice = parseChoice(id)
      const prompt = prefillChoices.find((name) => name === id)
      if (choice && (this.#options.rounding || choice.kernel !== 'dot8')) this.#won.set(shape, choice)
      if (prompt && (this.#options.rounding || prompt === 'gemm')) this.#prompts.set(shape, prompt)
    }
  }
}
