// The head of a Matroska or WebM file: who wrote it and the CodecDelay of each track, which moves its blocks earlier. Old libavformat moved all tracks later
// to make room for it; told by its name, that is taken back.
import { type Bytes, cut } from './container_bytes.ts'
import type { Probe } from './container_probe.ts'

const [SEGMENT, INFO, TRACKS, CLUSTER] = [0x18538067, 0x1549a966, 0x1654ae6b, 0x1f43b675]
const [MUXING_APP, TRACK_ENTRY, TRACK_NUMBER, CODEC_ID, CODEC_DELAY] = [0x4d80, 0xae, 0xd7, 0x86, 0x56aa]
const CODEC_PRIVATE = 0x63a2
/** Longest Info or Tracks that is read, and how many elements before the first cluster are looked at. */
const [MAX_PART, MAX_ELEMENTS] = [2 ** 20, 64]

interface Element {
  id: number
  /** Of its data. */
  start: number
  /** Infinity where it is not told. */
  end: number
}

export async function readMatroska(bytes: Bytes): Promise<Probe> {
  const segment = await findSegment(bytes)
  if (!segment) return {}
  if (segment.end !== Infinity && segment.end > bytes.size) throw cut(bytes.size, segment.end)
  const parts = await parted(bytes, segment)
  const muxer =
    parts.info &&
    text(
      parts.info,
      children(parts.info).find(({ id }) => id === MUXING_APP),
    )
  const delays = parts.tracks ? delaysOf(parts.tracks) : new Map<number, number>()
  return { delays, ...(muxer ? { muxer } : {}) }
}

/** Whether this writer moved every track later by the CodecDelay of one of them: libavformat up to 59.30. */
export function pushesAll(muxer: string | undefined): boolean {
  const [, major, minor] = /^Lavf(\d{1,4})\.(\d{1,4})\./.exec(muxer ?? '') ?? []
  return major !== undefined && (Number(major) < 59 || (Number(major) === 59 && Number(minor) <= 30))
}

async function findSegment(bytes: Bytes): Promise<Element | undefined> {
  const head = await bytes.read(0, Math.min(bytes.size, 4096))
  const ebml = element(head, 0)
  return ebml && ebml.end <= head.length ? asSegment(element(head, ebml.end)) : undefined
}

function asSegment(found: Element | undefined): Element | undefined {
  return found?.id === SEGMENT ? found : undefined
}

async function parted(bytes: Bytes, segment: Element): Promise<{ info?: Uint8Array; tracks?: Uint8Array }> {
  const out: { info?: Uint8Array; tracks?: Uint8Array } = {}
  let at = segment.start
  for (let i = 0; i < MAX_ELEMENTS && at < bytes.size && !(out.info && out.tracks); i++) {
    const found = element(await bytes.read(at, at + 12), 0)
    if (!found || found.id === CLUSTER || found.end === Infinity) break
    const [start, end] = [at + found.start, at + found.end]
    if (end > bytes.size) break
    if (found.id === INFO && end - start <= MAX_PART) out.info = await bytes.read(start, end)
    if (found.id === TRACKS && end - start <= MAX_PART) out.tracks = await bytes.read(start, end)
    at = end
  }
  return out
}

/** Seconds by track number. Without the element it is what an Opus header says its decoder drops: they must be equal. */
function delaysOf(tracks: Uint8Array): Map<number, number> {
  const out = new Map<number, number>()
  for (const entry of children(tracks)) {
    if (entry.id !== TRACK_ENTRY) continue
    const body = tracks.subarray(entry.start, entry.end)
    const fields = children(body)
    const field = (id: number) => fields.find((one) => one.id === id)
    const number = unsigned(body, field(TRACK_NUMBER))
    const said = unsigned(body, field(CODEC_DELAY))
    if (number === undefined) continue
    const delay = said === undefined ? skipped(body, field(CODEC_ID), field(CODEC_PRIVATE)) : said / 1e9
    if (delay > 0 && delay < 10) out.set(number, delay)
  }
  return out
}

function skipped(body: Uint8Array, codec: Element | undefined, header: Element | undefined): number {
  if (text(body, codec) !== 'A_OPUS' || !header || header.end - header.start < 12) return 0
  return (body[header.start + 10]! + body[header.start + 11]! * 256) / 48000
}

function children(data: Uint8Array): Element[] {
  const out: Element[] = []
  let at = 0
  while (at < data.length && out.length < 1024) {
    const found = element(data, at)
    if (!found || found.end > data.length) break
    out.push(found)
    at = found.end
  }
  return out
}

/** One element's id and extent; an id keeps its marker bit, a size loses it. */
function element(data: Uint8Array, at: number): Element | undefined {
  const first = data[at] ?? 0
  const idLength = Math.clz32(first) - 23
  if (idLength > 4 || at + idLength >= data.length) return undefined
  let id = 0
  for (let i = 0; i < idLength; i++) id = id * 256 + data[at + i]!
  const from = at + idLength
  const length = Math.clz32(data[from]!) - 23
  if (length > 8 || from + length > data.length) return undefined
  let size = data[from]! & (0xff >> length)
  let unknown = size === 0xff >> length
  for (let i = 1; i < length; i++) {
    size = size * 256 + data[from + i]!
    unknown &&= data[from + i] === 0xff
  }
  const start = from + length
  return { id, start, end: unknown ? Infinity : start + size }
}

function unsigned(data: Uint8Array, field: Element | undefined): number | undefined {
  if (!field || field.end - field.start > 8) return undefined
  return data.subarray(field.start, field.end).reduce((value, byte) => value * 256 + byte, 0)
}

function text(data: Uint8Array, field: Element | undefined): string | undefined {
  return field && new TextDecoder().decode(data.subarray(field.start, Math.min(field.end, field.start + 200))).replace(/\0.*$/s, '')
}
