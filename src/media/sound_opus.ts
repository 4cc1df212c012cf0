// How long an Opus packet is, by its own first bytes (RFC 6716, 3.1): the one clock of it that no recorder can make late.

/** Samples at this rate, whatever rate the header names. */
export const OPUS_RATE = 48000
/** Samples of a frame by `config`: SILK, hybrid and CELT. */
const SILK = [480, 960, 1920, 2880]
const HYBRID = [480, 960]
const CELT = [120, 240, 480, 960]
/** 120 ms: what lasts longer is no packet. */
const LONGEST = 5760

/** 0 where the packet is damaged. */
export function opusSamples(packet: Uint8Array): number {
  if (packet.length === 0) return 0
  const config = packet[0]! >> 3
  const code = packet[0]! & 3
  const frame = config < 12 ? SILK[config & 3]! : config < 16 ? HYBRID[config & 1]! : CELT[config & 3]!
  const frames = code === 0 ? 1 : code < 3 ? 2 : (packet[1] ?? 0) & 63
  return frame * frames <= LONGEST ? frame * frames : 0
}
