// What the demuxer does not tell: whether the file was cut off, who wrote it, and how much of its sound comes before zero. A few small, bounded reads.
import { GlmError } from '../errors.ts'
import { type Bytes, cut } from './container_bytes.ts'
import { readLame } from './container_lame.ts'
import { readMatroska } from './container_matroska.ts'

export interface Probe {
  /** The application that wrote the container, where the demuxer does not tell. */
  muxer?: string
  /** Matroska: by track number, seconds that its blocks lie after what is heard. */
  delays?: Map<number, number>
  /** MP3: samples before the first that was meant. */
  priming?: number
}

/** Boxes at the top of a file that is at hand; at an address only the first few are looked at. */
const MAX_BOXES = 2 ** 16
const BOXES = ['ftyp', 'moov', 'mdat', 'free', 'skip', 'wide', 'styp', 'sidx', 'moof', 'pnot', 'uuid']

/** Throws `file_truncated` where the file's own lengths say so. */
export async function probe(bytes: Bytes): Promise<Probe> {
  if (bytes.size === 0) throw new GlmError('file_invalid', 'The file is empty; choose another.')
  const head = await bytes.read(0, Math.min(bytes.size, 16))
  const view = new DataView(head.buffer, head.byteOffset, head.length)
  if (head.length >= 8 && BOXES.includes(name(view, 4))) await walkBoxes(bytes)
  else if (head.length >= 4 && view.getUint32(0) === 0x1a45dfa3) return readMatroska(bytes)
  else if (head.length >= 8 && name(view, 0) === 'RIFF') riff(bytes.size, view.getUint32(4, true))
  else return readLame(bytes)
  return {}
}

/** A box that reaches past the end is the mark of a cut; it is told only of boxes that hold the movie. */
async function walkBoxes(bytes: Bytes): Promise<void> {
  const seen = new Set<string>()
  let at = 0
  for (let i = 0; i < MAX_BOXES && at + 8 <= bytes.size; i++) {
    const head = await bytes.read(at, at + 16)
    const view = new DataView(head.buffer, head.byteOffset, head.length)
    const kind = name(view, 4)
    const size = boxSize(view, bytes.size - at)
    if (size < 8) break
    if (at + size > bytes.size && ['moov', 'mdat', 'moof'].includes(kind)) throw cut(bytes.size, at + size)
    seen.add(kind)
    if (bytes.remote && seen.has('moov') && (seen.has('mdat') || seen.has('moof'))) return
    at += size
  }
  if (!seen.has('moov')) throw new GlmError('file_invalid', 'The file has no movie header; it was not finished when it was written.')
}

function boxSize(view: DataView, rest: number): number {
  const size = view.getUint32(0)
  if (size === 0) return rest
  if (size !== 1) return size
  return view.byteLength < 16 ? 0 : view.getUint32(8) * 2 ** 32 + view.getUint32(12)
}

/** 0 and all ones are what a writer leaves that could not go back. */
function riff(size: number, said: number): void {
  if (said !== 0 && said < 0x7fff_fff0 && said + 8 > size + 1) throw cut(size, said + 8)
}

function name(view: DataView, at: number): string {
  return String.fromCharCode(view.getUint8(at), view.getUint8(at + 1), view.getUint8(at + 2), view.getUint8(at + 3))
}
