// The k-th smallest of many numbers without sorting them: count into buckets, look only into the one that holds it, again.
// Whatever the numbers, a round divides their range by 4096: linear, also for an adversary.

const BUCKETS = 4096

/** The value that would stand at place k if the values were sorted. */
export function select(values: Float64Array, k: number): number {
  let some = values
  let place = k
  for (;;) {
    const [low, high] = range(some)
    if (low === high) return low
    if (some.length <= 64) return some.slice().sort()[place]!
    const width = (high - low) / BUCKETS
    const bucket = (value: number) => Math.min(BUCKETS - 1, Math.floor((value - low) / width))
    const counts = new Uint32Array(BUCKETS)
    for (const value of some) counts[bucket(value)]!++
    let found = 0
    while (place >= counts[found]!) place -= counts[found++]!
    const inside = new Float64Array(counts[found]!)
    let at = 0
    for (const value of some) if (bucket(value) === found) inside[at++] = value
    some = inside
  }
}

/** The value that this part of all values does not exceed. */
export function quantile(values: Float64Array, part: number): number {
  return values.length === 0 ? 0 : select(values, Math.max(0, Math.ceil(part * values.length) - 1))
}

function range(values: Float64Array): [number, number] {
  let [low, high] = [Infinity, -Infinity]
  for (const value of values) {
    if (value < low) low = value
    if (value > high) high = value
  }
  return [low, high]
}
