// An MP3 file says in the tag of its first frame how much its encoder put before the sound; without it everything would be 25 ms late.
import type { Bytes } from './container_bytes.ts'
import type { Probe } from './container_probe.ts'

/** What every MP3 decoder adds to its encoder's delay, in samples. */
const DECODER_DELAY = 529
const MAX_TAG = 2 ** 28

export async function readLame(bytes: Bytes): Promise<Probe> {
  const start = await afterTag(bytes)
  const data = await bytes.read(start, Math.min(bytes.size, start + 400))
  if (data.length < 200 || data[0] !== 0xff || (data[1]! & 0xe6) !== 0xe2) return {}
  const [mpeg1, mono] = [(data[1]! & 0x18) === 0x18, data[3]! >> 6 === 3]
  const at = 4 + (mpeg1 ? (mono ? 17 : 32) : mono ? 9 : 17)
  if (!['Xing', 'Info'].includes(ascii(data, at, 4))) return {}
  const flags = data[at + 7]!
  const lame = at + 8 + (flags & 1 ? 4 : 0) + (flags & 2 ? 4 : 0) + (flags & 4 ? 100 : 0) + (flags & 8 ? 4 : 0)
  if (!/^(LAME|Lav[cf]|L3\.9|GOGO)/.test(ascii(data, lame, 4))) return {}
  const delay = data[lame + 21]! * 16 + (data[lame + 22]! >> 4)
  return {
    priming: delay + DECODER_DELAY,
    muxer: ascii(data, lame, 9)
      .replace(/[^ -~].*$/s, '')
      .trim(),
  }
}

/** Where the first frame may start: behind an ID3v2 tag. */
async function afterTag(bytes: Bytes): Promise<number> {
  const head = await bytes.read(0, Math.min(bytes.size, 10))
  if (ascii(head, 0, 3) !== 'ID3' || head.length < 10) return 0
  const size = head.subarray(6, 10).reduce((value, byte) => value * 128 + (byte & 0x7f), 0)
  return size < MAX_TAG ? 10 + size : 0
}

function ascii(data: Uint8Array, at: number, length: number): string {
  return String.fromCharCode(...data.subarray(at, at + length))
}
