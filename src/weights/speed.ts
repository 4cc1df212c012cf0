// Bytes per second over the last seconds, and how long the rest takes.

const span = 5000 // ms

/** Tell it the bytes so far; it remembers a few seconds. Times are in milliseconds. */
export class Speed {
  #marks: { at: number; bytes: number }[] = []

  add(bytes: number, at: number): void {
    this.#marks.push({ at, bytes })
    // One mark from before the span stays: else a slow line would have no speed.
    while (this.#marks.length > 2 && this.#marks[1]!.at <= at - span) this.#marks.shift()
  }

  /** Bytes per second; 0 before the second mark. A stall counts as it lasts. */
  rate(now: number): number {
    const first = this.#marks[0]
    const elapsed = first ? now - first.at : 0
    return elapsed > 0 ? ((this.#marks.at(-1)!.bytes - first!.bytes) * 1000) / elapsed : 0
  }

  /** Seconds until `bytes` more are there; nothing where nobody can tell. */
  left(bytes: number, now: number): number | undefined {
    const rate = this.rate(now)
    return rate > 0 ? Math.max(0, bytes) / rate : undefined
  }
}
