// Where a stream's own clock stands in the receiver's: receive = offset + (1 + skew) * media + delay, and delay is never negative. So the truth runs along
// the lower edge of the points: the edge of their lower convex hull under the middle of the window. Averages would take jitter for drift.

/** All in milliseconds, from the first point of the segment. */
interface Point {
  media: number
  /** Receive time minus media time. */
  lag: number
}

export interface ClockOptions {
  /** How far back points count, in ms. Default 60,000. */
  window?: number
}

export interface ClockModel {
  /** Parts per million that the receiver's clock gains on the media clock, with its standard error; 0 until 10 s and 50 points are there. */
  skewPpm: number
  skewError: number
  /** Receive minus media at the newest point, in ms, with its standard error. */
  offset: number
  offsetError: number
}

const WINDOW = 60_000
const BUCKETS = 240
const LEAST_SPAN = 10_000
const LEAST_POINTS = 50
/** A leap of more than this is another clock, not drift, in ms. */
export const JUMP = 100
/** A media time this far back is a clock that began anew, not a late sample, in ms. */
const BACK = 1000
/** So long, and for so many points, everything must be late before the clock counts as stopped in between. */
const LATE_SPAN = 2000
const LATE_POINTS = 10
/** The correction moves by no more than this part of the time that passes: 500 ppm. */
export const SLEW = 500e-6

export class Clock {
  /** The lowest point of each stretch of window / 240: bounded, whatever comes. */
  readonly #points: (Point & { bucket: number })[] = []
  readonly #window: number
  #count = 0
  #first = 0
  #last: Point = { media: 0, lag: 0 }
  #line = { at: 0, lag: 0, slope: 0 }
  #late = { since: 0, points: 0 }
  #correction = 0

  constructor(options: ClockOptions = {}) {
    this.#window = options.window ?? WINDOW
  }

  /** Takes a point and gives the media time in the receiver's clock; undefined where the clock has leapt and a new one must begin. */
  push(media: number, receive: number): number | undefined {
    const lag = receive - media
    if (this.#count > 0 && this.#leapt(media, lag, receive)) return undefined
    const bucket = Math.floor((media * BUCKETS) / this.#window)
    this.#keep({ media, lag, bucket })
    if (this.#count++ === 0) {
      this.#first = media
      this.#correction = lag
    }
    const passed = Math.max(0, media - this.#last.media)
    if (this.#count === 1 || media >= this.#last.media) this.#last = { media, lag }
    this.#correction += clamp(this.#lagAt(media) - this.#correction, SLEW * passed)
    return media + this.#correction
  }

  get model(): ClockModel {
    const { slope } = this.#line
    const fitted = slope !== 0 || this.#fits()
    const n = this.#points.length
    const span = this.#last.media - (this.#points[0]?.media ?? 0)
    const excess = n === 0 ? 0 : this.#points.reduce((sum, { media, lag }) => sum + lag - this.#lagAt(media), 0) / n
    // The line rests on two lows, each the least of half the points: the least of n waits of mean w is off by w / n.
    const low = n === 0 ? 0 : excess / (n / 2)
    return {
      skewPpm: slope * 1e6,
      skewError: fitted ? ((Math.SQRT2 * low) / (span / 2)) * 1e6 : Infinity,
      offset: this.#lagAt(this.#last.media),
      offsetError: low,
    }
  }

  /** What is still to be slewed, in ms. */
  get pending(): number {
    return this.#lagAt(this.#last.media) - this.#correction
  }

  #leapt(media: number, lag: number, receive: number): boolean {
    if (media < this.#last.media - BACK) return true
    const delay = lag - this.#lagAt(media)
    if (delay < -JUMP) return true
    if (delay <= JUMP) this.#late.points = 0
    else if (this.#late.points++ === 0) this.#late.since = receive
    return this.#late.points >= LATE_POINTS && receive - this.#late.since >= LATE_SPAN
  }

  #keep(point: Point & { bucket: number }): void {
    const points = this.#points
    const last = points.at(-1)
    if (last && last.bucket >= point.bucket) {
      if (point.lag >= last.lag || point.media < last.media) return
      points[points.length - 1] = point
    } else points.push(point)
    while (points[0]!.media < point.media - this.#window) points.shift()
    this.#fit()
  }

  #fits(): boolean {
    return this.#count >= LEAST_POINTS && this.#last.media - this.#first >= LEAST_SPAN
  }

  #fit(): void {
    const points = this.#points
    if (!this.#fits()) {
      const lag = points.reduce((low, point) => Math.min(low, point.lag), Infinity)
      this.#line = { at: 0, lag, slope: 0 }
      return
    }
    const middle = points.reduce((sum, { media }) => sum + media, 0) / points.length
    const hull = lowerHull(points)
    const right = Math.max(
      1,
      hull.findIndex(({ media }) => media > middle),
    )
    const [a, b] = [hull[right - 1]!, hull[right] ?? hull[right - 1]!]
    this.#line = { at: a.media, lag: a.lag, slope: b === a ? 0 : (b.lag - a.lag) / (b.media - a.media) }
  }

  #lagAt(media: number): number {
    const { at, lag, slope } = this.#line
    return lag + slope * (media - at)
  }
}

/** Points from left to right; those that no line from below touches are left out. */
function lowerHull(points: readonly Point[]): Point[] {
  const hull: Point[] = []
  for (const point of points) {
    while (hull.length >= 2 && above(hull.at(-2)!, hull.at(-1)!, point)) hull.pop()
    hull.push(point)
  }
  return hull
}

/** Whether b lies on or above the line from a to c. */
function above(a: Point, b: Point, c: Point): boolean {
  return (b.lag - a.lag) * (c.media - a.media) >= (c.lag - a.lag) * (b.media - a.media)
}

function clamp(value: number, limit: number): number {
  return Math.max(-limit, Math.min(limit, value))
}
