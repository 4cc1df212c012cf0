// Exact time: an integer count of 1/705 600 000 s ("flicks"). Frame, sample and label rates in use divide it; others round once, half to even, from the index.
// A number holds 147.7 days of it exactly, at the speed of doubles; products that could leave that range go by BigInt, results that do are refused.
import { fault } from './faults.ts'

/** Time in 1/705 600 000 s: always an integer, never beyond ±2^53 (147.7 days). */
export type Ticks = number
/** Time in seconds, as a convenience at the door. */
export type Seconds = number

export const TICKS_PER_SECOND = 705_600_000

/** Things per second as a fraction: 30 frames are `{ num: 30, den: 1 }`, NTSC is `{ num: 30000, den: 1001 }`, microseconds are `{ num: 1e6, den: 1 }`. */
export interface Rate {
  num: number
  den: number
}

/** A rate as a number or a fraction. Written as 29.97, 23.976 or 59.94 it is the NTSC rate that those digits stand for. */
export type RateLike = number | Rate

/** A rate made ready: index i lies at i * period / parts ticks. */
export interface Grid extends Rate {
  period: number
  parts: number
}

const MAX_DEN = 10_000_000
const MAX_FOUND_DEN = 1_000_000

export function grid(rate: RateLike): Grid {
  const { num, den } = typeof rate === 'number' ? fraction(rate) : rate
  const whole = Number.isSafeInteger(num) && Number.isSafeInteger(den)
  if (!whole || num < 1 || den < 1 || den > MAX_DEN) {
    throw fault('E_RANGE', '', `A rate of ${num}/${den} per second is none: give a number above 0 or { num, den } in whole numbers.`)
  }
  const top = TICKS_PER_SECOND * den
  const common = divisor(top, num)
  return { num, den, period: top / common, parts: num / common }
}

/** Ticks of index i, exact before it is rounded half to even. */
export function fromIndex(i: number, rate: RateLike): Ticks {
  return at('period' in Object(rate) ? (rate as Grid) : grid(rate), i)
}

/** `fromIndex` for a grid made before. */
export function at(grid: Grid, i: number): Ticks {
  return grid.parts === 1 ? checked(i * grid.period) : scaled(i, grid.period, grid.parts)
}

/** The last index at or before t. */
export function indexAt(grid: Grid, t: Ticks): number {
  let i = Math.floor((t / grid.period) * grid.parts)
  while (at(grid, i) > t) i--
  while (at(grid, i + 1) <= t) i++
  return i
}

/** Nearest tick, half to even. The whole seconds are exact and only the fraction is rounded. */
export function fromSeconds(seconds: Seconds): Ticks {
  const whole = Math.trunc(seconds)
  return checked(whole * TICKS_PER_SECOND + halfEven((seconds - whole) * TICKS_PER_SECOND))
}

/** The double closest to the exact quotient. */
export function toSeconds(ticks: Ticks): Seconds {
  return ticks / TICKS_PER_SECOND
}

export function fromMicros(micros: number): Ticks {
  return scaled(micros, 3528, 5)
}

export function toMicros(ticks: Ticks): number {
  return scaled(ticks, 5, 3528)
}

/** Whether a number is a time at all. */
export function isTicks(value: unknown): value is Ticks {
  return Number.isSafeInteger(value)
}

export function halfEven(x: number): number {
  return Math.abs(x % 1) === 0.5 ? 2 * Math.round(x / 2) + 0 : Math.round(x) + 0
}

/** value * times / over, rounded half to even without a rounding before that. */
export function scaled(value: number, times: number, over: number): number {
  if (!Number.isSafeInteger(value)) throw outside(value)
  let whole = Math.floor(value / over)
  let rest = value - whole * over
  if (rest < 0) [whole, rest] = [whole - 1, rest + over]
  const base = checked(whole * times)
  if (rest === 0) return base
  const product = rest * times
  if (!Number.isSafeInteger(product)) return checked(base + large(rest, times, over, base))
  const part = Math.floor(product / over)
  const twice = 2 * (product - part * over)
  return checked(base + part + (twice > over || (twice === over && (base + part) % 2 !== 0) ? 1 : 0))
}

function large(rest: number, times: number, over: number, base: number): number {
  const product = BigInt(rest) * BigInt(times)
  const part = Number(product / BigInt(over))
  const twice = 2n * (product % BigInt(over))
  const up = twice > BigInt(over) || (twice === BigInt(over) && (base + part) % 2 !== 0)
  return part + (up ? 1 : 0)
}

function checked(ticks: number): Ticks {
  if (!Number.isSafeInteger(ticks)) throw outside(ticks)
  return ticks + 0
}

function outside(value: number) {
  return fault('E_BAD_TIME', '', `${value} is no time, or lies beyond 147 days; subtract the start of the recording first.`)
}

/** A number as a fraction: an NTSC rate if its digits are how one is written, else the simplest that is the same double, or nearly. */
function fraction(rate: number): Rate {
  if (!(rate > 0) || rate > Number.MAX_SAFE_INTEGER) return { num: rate, den: 0 }
  return ntsc(rate) ?? simplest(rate)
}

function ntsc(rate: number): Rate | undefined {
  const digits = String(rate).split('.')[1]?.length ?? 0
  const round = Math.round((rate * 1001) / 1000)
  return digits >= 2 && digits < 20 && ((round * 1000) / 1001).toFixed(digits) === rate.toFixed(digits)
    ? { num: round * 1000, den: 1001 }
    : undefined
}

/** Continued fraction, until it is the double or the denominator grows past a million. */
function simplest(rate: number): Rate {
  let [above, num] = [1, Math.floor(rate)]
  let [below, den] = [0, 1]
  let rest = rate - num
  while (rest > 0 && num / den !== rate) {
    const digit = Math.floor(1 / rest)
    rest = 1 / rest - digit
    const next = digit * den + below
    if (next > MAX_FOUND_DEN || digit * num + above > Number.MAX_SAFE_INTEGER) break
    ;[above, num] = [num, digit * num + above]
    ;[below, den] = [den, next]
  }
  return { num, den }
}

function divisor(a: number, b: number): number {
  while (b) [a, b] = [b, a % b]
  return a
}
