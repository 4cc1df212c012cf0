// The header of AVIF: boxes within boxes. The primary item's properties say its size and how it is turned.
import { type Asking, type Chunk, invalid, take, text } from './picture_bytes.ts'

/** A `meta` box of a picture has a few hundred bytes. */
const META_LIMIT = 1 << 20

interface Box {
  kind: string
  view: DataView
}

/** Decoders turn AVIF alike, so nothing is hidden from them; `orientation` tells what they do. */
export function* avifHeader(file: Chunk): Asking<{ width: number; height: number; orientation: number; animated: boolean; hide: [] }> {
  const animated = text(yield* take(file, 8, 4)) === 'avis'
  const inside = boxes(yield* metaBox(file), 4)
  const primary = one(inside, 'pitm')
  const item = primary.getUint8(0) === 0 ? short(primary, 4) : long(primary, 4)
  const properties = boxes(one(inside, 'iprp'), 0)
  const container = boxes(one(properties, 'ipco'), 0)
  const own = indices(one(properties, 'ipma'), item).flatMap((index) => container[index - 1] ?? [])
  const size = one(own, 'ispe')
  return { width: long(size, 4), height: long(size, 8), orientation: orientationOf(own), animated, hide: [] }
}

function* metaBox(file: Chunk): Asking<DataView> {
  for (let at = 0; ; ) {
    const head = yield* take(file, at, 8)
    const length = head.getUint32(0)
    if (length < 8) throw invalid('The AVIF has no picture in its first boxes; save it again.')
    if (text(head, 4, 4) === 'meta') {
      if (length > META_LIMIT) throw invalid(`The AVIF's header has ${length} bytes; save it again.`)
      return yield* take(file, at + 8, length - 8)
    }
    at += length
  }
}

/** What stands in a box from byte `at`. */
function boxes(view: DataView, at: number): Box[] {
  const found: Box[] = []
  for (let next = at; next + 8 <= view.byteLength; ) {
    const length = view.getUint32(next)
    if (length < 8 || next + length > view.byteLength)
      throw invalid('The AVIF has a box that is longer than the one it is in; save it again.')
    found.push({ kind: text(view, next + 4, 4), view: new DataView(view.buffer, view.byteOffset + next + 8, length - 8) })
    next += length
  }
  return found
}

function one(all: Box[], kind: string): DataView {
  const found = all.find((box) => box.kind === kind)
  if (!found) throw invalid(`The AVIF lacks its box ${kind}; save it again.`)
  return found.view
}

/** The properties of an item, counted from 1; each entry is the item, a count and that many indices, the top bit of which is no part of them. */
function indices(view: DataView, wanted: number): number[] {
  const wideItem = view.byteLength > 0 && view.getUint8(0) > 0
  const wide = (long(view, 0) & 1) === 1
  const entries = long(view, 4)
  let at = 8
  for (let i = 0; i < entries; i++) {
    const item = wideItem ? long(view, at) : short(view, at)
    at += wideItem ? 4 : 2
    if (at >= view.byteLength) break
    const count = view.getUint8(at++)
    const step = wide ? 2 : 1
    if (item === wanted) {
      if (at + count * step > view.byteLength) break
      return Array.from({ length: count }, (_, k) => (wide ? short(view, at + 2 * k) & 0x7fff : view.getUint8(at + k) & 0x7f))
    }
    at += count * step
  }
  throw invalid('The AVIF says nothing of its primary picture; save it again.')
}

/** Turned counterclockwise by quarters first (irot), then mirrored (imir: 0 top with bottom, 1 left with right). */
function orientationOf(own: Box[]): number {
  const turn = own.find(({ kind, view }) => kind === 'irot' && view.byteLength > 0)
  const mirror = own.find(({ kind, view }) => kind === 'imir' && view.byteLength > 0)
  const quarters = turn ? turn.view.getUint8(0) & 3 : 0
  const axis = mirror ? mirror.view.getUint8(0) & 1 : undefined
  if (axis === undefined) return [1, 8, 3, 6][quarters]!
  return (axis === 1 ? [2, 7, 4, 5] : [4, 5, 2, 7])[quarters]!
}

const short = (view: DataView, at: number) => within(view, at, 2).getUint16(at)
const long = (view: DataView, at: number) => within(view, at, 4).getUint32(at)

function within(view: DataView, at: number, length: number): DataView {
  if (at + length > view.byteLength) throw invalid('The AVIF has a box that is too short; save it again.')
  return view
}
