// Which variant of a kernel is fastest on this adapter: the best so far meets the others one by one, in short samples of real work.
// What was learned is kept at once, so a load goes on where the last one stopped.
import type { AdapterInfo } from '../api/types.ts'
import { play, type Recording } from './recorder.ts'
import { readTuned, type Tuned, type TunedStore, type Tuning } from './tuned.ts'

export interface Variant {
  id: string
  /** What it uses that a vendor may be known to lose with. */
  traits?: readonly Trait[]
  /** Compiles it: called only when its turn has come. */
  prepare(): Promise<Prepared>
}

export interface Prepared {
  /** Dispatches of one repetition; they go round several layers' weights, so that no cache can hold them. Called while encoding: creates nothing. */
  dispatches(repeat: number): Recording
  /** Whether the variant computes right on this device. */
  probe(): Promise<boolean>
}

export interface Task {
  /** Names what is tuned: shape, weight format, number of rows. */
  key: string
  /** Bytes read per token: the heaviest task goes first. */
  weight: number
  /** Id of the variant in use. */
  current: string
  variants: readonly Variant[]
}

export interface TuneOptions {
  device: GPUDevice
  info: AdapterInfo
  store: TunedStore
  /** From `tunedKey`. */
  key: string
  /** Milliseconds; injected by tests. */
  clock?: () => number
  /** Milliseconds of work (2000), and at most one step more; waiting for `idle` is free. */
  budget?: number
  /** Awaited before every step; where it rejects, tuning ends. */
  idle?: () => Promise<void>
  /** Aborted when a chat comes or the model closes: tuning ends with the step under way, and the next load goes on. */
  signal?: AbortSignal
}

export type Trait = 'dot8' | 'subgroups' | 'f16'

/** What is never tried, by `vendor architecture` of the adapter. */
const losses: readonly { on: RegExp; trait: Trait }[] = [
  { on: /apple|metal/i, trait: 'dot8' }, // Metal has no packed integer dot product; llama.cpp measured a loss on an M2
]

/** Whether no vendor is known to lose with these traits on this adapter. */
export function allowed({ vendor, architecture }: AdapterInfo, traits: readonly Trait[] = []): boolean {
  return !losses.some(({ on, trait }) => traits.includes(trait) && on.test(`${vendor} ${architecture}`))
}

/** Milliseconds of wall clock of a sample: at least, wanted, at most. A second one is twice as long, and must not hold the GPU beyond 100 ms. */
const sampleTime = { least: 20, wanted: 25, most: 50 }
const mostRepeats = 2 ** 14
const rounds = { least: 3, most: 5 }
/** A challenger's time over the best one's must be below this. */
const gain = 0.97
/** A slope that is less certain than this is discarded. */
const mostNoise = 0.15
/** A variant that took this much longer in the first round is not looked at again. */
const hopeless = 1.25

/** The budget is spent, a chat came, or the device is gone. */
class Stopped extends Error {}

/** A variant that computes right, with the repetitions of a sample; none where a single one holds the GPU too long. */
interface Entrant {
  id: string
  prepared: Prepared
  repeats: number
}

/** Tunes until all is known, the budget is spent or a chat comes. Gives, by task, the variants that are better than the current ones. */
export async function tune(tasks: readonly Task[], options: TuneOptions): Promise<Record<string, string>> {
  if (options.info.software) return {} // fixed choices: a CPU does not rank kernels as a GPU does
  const tuned = await readTuned(options.store, options.key)
  const session = new Session(options, tuned)
  const heaviestFirst = [...tasks].sort((a, b) => b.weight - a.weight)
  try {
    for (const task of heaviestFirst) await session.settle(task, stateOf(task, tuned))
  } catch (error) {
    if (!(error instanceof Stopped)) throw error
  }
  const best = heaviestFirst.map((task) => [task, stateOf(task, tuned).best] as const)
  return Object.fromEntries(best.filter(([task, id]) => id !== task.current).map(([task, id]) => [task.key, id]))
}

/** What is known of a task; nothing, where its best variant is no longer offered. */
function stateOf({ key, current, variants }: Task, tuned: Tuned): Tuning {
  const kept = tuned.tasks[key]
  return kept && variants.some(({ id }) => id === kept.best) ? kept : { best: current, times: {} }
}

class Session {
  readonly #options: TuneOptions
  readonly #tuned: Tuned
  readonly #clock: () => number
  readonly #budget: number
  #spent = 0
  #trials = 0
  #lost: GPUDeviceLostReason | undefined

  constructor(options: TuneOptions, tuned: Tuned) {
    this.#options = options
    this.#tuned = tuned
    this.#clock = options.clock ?? (() => performance.now())
    this.#budget = options.budget ?? 2000
    options.device.lost.then(({ reason }) => {
      this.#lost = reason
    })
  }

  /** Lets the variants that were not tried yet meet the best one, in turn. */
  async settle(task: Task, state: Tuning): Promise<void> {
    const { info } = this.#options
    const waiting = task.variants.filter(({ id, traits }) => id !== state.best && !(id in state.times) && allowed(info, traits))
    const first = task.variants.find(({ id }) => id === state.best)
    if (!first || waiting.length === 0) return
    let best = await this.#enter(first)
    if (best?.repeats === 0) return
    this.#tuned.tasks[task.key] = state
    state.times[first.id] = best ? (state.times[first.id] ?? 1) : Infinity
    for (const variant of waiting) best = await this.#trial(state, best, variant)
  }

  /** Gives the better one of two; any that is right is better than a best one that is wrong. */
  async #trial(state: Tuning, best: Entrant | undefined, variant: Variant): Promise<Entrant | undefined> {
    const { times } = state
    // Written down first, so that a variant that takes the GPU or the page down is not tried at every load.
    times[variant.id] = Infinity
    await this.#save()
    try {
      const challenger = await this.#enter(variant)
      if (!challenger?.repeats) return best
      const ratio = best ? await this.#ratio(best, challenger) : 0
      times[variant.id] = best ? ratio * times[best.id]! : 1
      if (ratio >= gain) return best
      state.best = variant.id
      return challenger
    } catch (error) {
      if (!(error instanceof Stopped)) return best
      if (this.#isInnocent()) delete times[variant.id]
      throw error
    } finally {
      this.#trials++
      await this.#save()
    }
  }

  /** Whether a variant whose trial was cut off may try again: not if the GPU died of it, nor if a whole budget was too little. */
  #isInnocent(): boolean {
    if (this.#lost) return this.#lost === 'destroyed'
    return this.#options.signal?.aborted === true || this.#spent < this.#budget || this.#trials > 0
  }

  /** Nothing for a variant that does not compile or computes wrong. */
  async #enter(variant: Variant): Promise<Entrant | undefined> {
    try {
      const prepared = await this.#run(() => variant.prepare())
      if (!(await this.#run(() => prepared.probe()))) return undefined
      return { id: variant.id, prepared, repeats: await this.#repeats(prepared) }
    } catch (error) {
      if (error instanceof Stopped) throw error
      return undefined
    }
  }

  /** How many repetitions make a sample. */
  async #repeats(prepared: Prepared): Promise<number> {
    let repeats = 1
    for (;;) {
      let took = await this.#sample(prepared, repeats)
      // Seen twice: a first run may pay for more than itself.
      if (took >= sampleTime.least) took = Math.min(took, await this.#sample(prepared, repeats))
      if (took > sampleTime.most) return repeats === 1 ? 0 : Math.ceil((repeats * sampleTime.wanted) / took)
      if (took >= sampleTime.least) return repeats
      if (repeats === mostRepeats) return 0
      repeats = Math.min(mostRepeats, Math.ceil(repeats * Math.min(16, sampleTime.wanted / took)))
    }
  }

  /** The challenger's time over the best one's; 1 where the clock cannot tell. The two take turns, so that both see the same GPU clock. */
  async #ratio(best: Entrant, challenger: Entrant): Promise<number> {
    const [a, b] = [new Times(best.repeats), new Times(challenger.repeats)]
    for (let round = 1; ; round++) {
      for (const [{ prepared, repeats }, times] of [
        [best, a],
        [challenger, b],
      ] as const) {
        times.once.push(await this.#sample(prepared, repeats))
        times.twice.push(await this.#sample(prepared, 2 * repeats))
      }
      const ratio = b.slope / a.slope
      if (round === 1 && ratio > hopeless && b.once[0]! / b.repeats > (hopeless * a.once[0]!) / a.repeats) return ratio
      const noise = Math.max(a.noise, b.noise)
      if (round >= rounds.least && noise <= 1 - gain) return ratio
      if (round === rounds.most) return noise <= mostNoise ? ratio : 1
    }
  }

  /** Milliseconds that so many repetitions take in one submit. */
  #sample(prepared: Prepared, repeats: number): Promise<number> {
    const { device } = this.#options
    return this.#run(async () => {
      const encoder = device.createCommandEncoder()
      const pass = encoder.beginComputePass()
      for (let repeat = 0; repeat < repeats; repeat++) play(pass, prepared.dispatches(repeat))
      pass.end()
      const commands = encoder.finish()
      const began = this.#clock()
      device.queue.submit([commands])
      await device.queue.onSubmittedWorkDone()
      return this.#clock() - began
    })
  }

  /** One step of work. What a chat ran into does not count. */
  async #run<T>(work: () => Promise<T>): Promise<T> {
    const { idle, signal } = this.#options
    await idle?.().catch(() => this.#stop())
    if (signal?.aborted || this.#lost || this.#spent >= this.#budget) this.#stop()
    const began = this.#clock()
    try {
      return await work()
    } finally {
      this.#spent += this.#clock() - began
      if (signal?.aborted || this.#lost) this.#stop()
    }
  }

  #stop(): never {
    throw new Stopped()
  }

  async #save(): Promise<void> {
    await this.#options.store.put(this.#tuned).catch(() => {}) // then the next load begins anew
  }
}

/** Times of `repeats` repetitions and of twice as many. The lowest ones count: whatever else goes on only adds. */
class Times {
  readonly repeats: number
  readonly once: number[] = []
  readonly twice: number[] = []

  constructor(repeats: number) {
    this.repeats = repeats
  }

  /** Milliseconds of one repetition, without what every submit costs. */
  get slope(): number {
    return (Math.min(...this.twice) - Math.min(...this.once)) / this.repeats
  }

  /** How far from the slope the second lowest times would lead, over it. */
  get noise(): number {
    const gap = (times: number[]) => {
      const [first = 0, second = Infinity] = times.toSorted((a, b) => a - b)
      return second - first
    }
    const slope = this.slope * this.repeats
    return slope > 0 ? (gap(this.once) + gap(this.twice)) / slope : Infinity
  }
}
