// How a feed begins. While a page opens a device it is busy, so what comes first comes late, by tens of ms; a live clock starts at its first point and
// closes such a gap by 500 ppm only. So at first the waits are but watched, and the first push counts as received after the least of them.

/** How long is watched, in ms. */
const WATCH = 300

export interface Settling {
  /** Looks at one, in µs of its clock and ms of the page's; true once it may be pushed. */
  settled(media: number, received: number): boolean
  /** When it is to count as received. */
  received(media: number, received: number): number
}

export function settling(): Settling {
  let [begun, least, first] = [Number.NaN, Infinity, true]
  return {
    settled(media, received) {
      if (Number.isNaN(begun)) begun = received
      if (received - begun >= WATCH) return true
      least = Math.min(least, received - media / 1000)
      return false
    },
    received(media, received) {
      const early = first ? Math.min(received, media / 1000 + least) : received
      first = false
      return early
    },
  }
}

/** For a screen: a still one gives a single picture, which must not be lost. */
export const atOnce: Settling = { settled: () => true, received: (_, received) => received }
