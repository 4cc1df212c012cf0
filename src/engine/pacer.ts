// How much to hand the GPU at once. The page's compositor shares it and watchdogs kill, so no submit is meant to hold it for 100 ms:
// prefill chunks, tokens per submit and slices of one pass follow the times that were measured.

/** Milliseconds a submit may hold the GPU, and what is aimed at, since the next one may be slower than the last. */
export const holdLimit = 100
/** A CPU adapter has threads of its own and no watchdog: what counts there is that an abort does not wait long. */
export const aims = { hardware: holdLimit / 2, software: 200 }

export interface PacerOptions {
  /** Rows of a pass at most. */
  rows: number
  /** Rows of a tile: fewer cost as much, so a slow pass is cut into slices instead. Default 1. */
  least?: number
  /** Tokens of a submit at most. */
  tokens: number
  /** Milliseconds of a submit that are aimed at. */
  aim: number
  /** Milliseconds; injected by tests. */
  clock: () => number
}

export class Pacer {
  readonly #options: PacerOptions
  readonly #least: number
  #rows: number
  #tokens = 1
  #slices = 1

  constructor(options: PacerOptions) {
    this.#options = options
    this.#least = Math.min(options.least ?? 1, options.rows)
    this.#rows = Math.min(Math.max(16, this.#least), options.rows)
  }

  now(): number {
    return this.#options.clock()
  }

  /** Rows of the next prefill chunk: a power of two, so that few recordings serve all. */
  get rows(): number {
    return this.#rows
  }

  /** Tokens of the next decode submit. */
  get tokens(): number {
    return this.#tokens
  }

  /** Submits that one pass is cut into, where a single row holds the GPU too long. */
  get slices(): number {
    return this.#slices
  }

  /** A prefill chunk of `rows` took `milliseconds` over `slices` submits. */
  prefilled(rows: number, milliseconds: number): void {
    const perSubmit = milliseconds / this.#slices
    // A chunk smaller than asked for tells little about a larger one, unless it was too slow already.
    if (perSubmit > this.#options.aim) this.#shrink(perSubmit)
    else if (this.#joinSlices(perSubmit)) return
    else if (rows >= this.#rows && perSubmit * 2 <= this.#options.aim) this.#rows = Math.min(this.#options.rows, this.#rows * 2)
  }

  #shrink(perSubmit: number): void {
    const halvings = Math.ceil(Math.log2(perSubmit / this.#options.aim))
    const rows = this.#rows / 2 ** halvings
    this.#rows = Math.max(this.#least, rows)
    if (rows < this.#least) this.#slices = Math.min(64, Math.ceil((this.#slices * this.#least) / rows))
  }

  /** A submit of `tokens` passes took `milliseconds`. */
  decoded(tokens: number, milliseconds: number): void {
    const each = milliseconds / tokens
    const wanted = Math.max(1, Math.floor(this.#options.aim / each))
    this.#tokens = Math.min(this.#options.tokens, wanted, this.#tokens * 2)
    if (each / this.#slices > this.#options.aim) this.#slices = Math.min(64, Math.ceil(each / this.#options.aim))
    else this.#joinSlices(each / this.#slices)
  }

  /** One pause, a page in the background, must not leave a fast GPU with many small submits for good. */
  #joinSlices(perSubmit: number): boolean {
    if (this.#slices === 1 || perSubmit * 4 > this.#options.aim) return false
    this.#slices = Math.ceil(this.#slices / 2)
    return true
  }
}
