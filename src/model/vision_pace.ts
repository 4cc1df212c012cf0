// How much of a tower one submit takes. The page's compositor shares the GPU, so none is meant to hold it for 100 ms: work is counted in floating-point
// operations, and how many pass in a millisecond is measured.

/** Milliseconds of a submit that are aimed at: the next may be slower than the last. A CPU adapter has threads of its own: there an abort waits so long. */
const aims = { hardware: 50, software: 200 }
/** Operations in a millisecond before anything was measured: of a phone, and of a CPU. */
const first = { hardware: 5e7, software: 1e6 }
/** One slow submit (a shader compiled, a page in the background) is made good within a few. */
const growth = 4

export class VisionPace {
  readonly #aim: number
  #rate: number

  constructor(software: boolean) {
    const kind = software ? 'software' : 'hardware'
    this.#aim = aims[kind]
    this.#rate = first[kind]
  }

  /** Operations of the next submit. */
  get work(): number {
    return this.#rate * this.#aim
  }

  /** A submit of so much work took so long. A short one tells of the way there and back, not of the work. */
  measured(work: number, milliseconds: number): void {
    if (work * 2 < this.work && milliseconds < this.#aim) return
    this.#rate = Math.min(work / Math.max(milliseconds, 0.01), this.#rate * growth)
  }
}
