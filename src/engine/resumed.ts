// What an earlier load had packed before it was cut off, as tensors of the source: the loader reads them as it would the source's own. Part of the
// lazy bundle.
import type { KeptShard } from '../weights/kept_shard.ts'
import { type PackedTensor, packedConvert, packedEntries, partsOf } from '../weights/packed.ts'
import type { PlacedPart } from '../weights/shards.ts'
import type { Checkpoint, TensorEntry } from '../weights/tensor.ts'
import type { PackItem } from './packing.ts'

/** Kept tensors stand beside the source's files, which may have the same names. */
export const prefix = 'packed/'

/** Where a part of a packed tensor is kept. */
export interface Place {
  shard: KeptShard
  part: PlacedPart
}

/** The places of every packed tensor. */
export function placesOf(shards: readonly KeptShard[]): Map<string, Place[]> {
  const places = new Map<string, Place[]>()
  for (const shard of shards) for (const part of shard.parts) places.set(part.tensor, [...(places.get(part.tensor) ?? []), { shard, part }])
  return places
}

/** Whether the source's rows stand in the packed form as they do in the source. */
export const inOrder = ({ pieces = [] }: PackItem): boolean => pieces.every(({ step, rows }) => step === 1 || rows === 1)

/** Tensors whose rows are all kept, in the order of the source, in place of the source's. */
export function withKept(checkpoint: Checkpoint, items: readonly PackItem[], places: ReadonlyMap<string, readonly Place[]>): Checkpoint {
  const made = new Map<string, PackItem[]>()
  for (const item of items) {
    for (const tensor of new Set(item.pieces?.map(({ tensor }) => tensor))) made.set(tensor, [...(made.get(tensor) ?? []), item])
  }
  const isKept = (item: PackItem) => inOrder(item) && places.get(item.name)!.every(({ shard, part }) => shard.has(part))
  const raw = new Map<string, TensorEntry>()
  const kept = new Map<string, PackedTensor>()
  for (const [tensor, own] of made) {
    if (!own.every(isKept)) continue
    const entries = own.flatMap((item) => places.get(item.name)!.flatMap((place) => rowsIn(tensor, item, place)))
    for (const entry of entries) raw.set(entry.name, entry)
    kept.set(tensor, { ...own[0]!.packed, shape: checkpoint.tensors.get(tensor)!.shape })
  }
  if (kept.size === 0) return checkpoint
  const tensors = new Map(checkpoint.tensors)
  for (const entry of packedEntries(raw, kept)) tensors.set(entry.name, entry)
  const sum = (entries: Iterable<TensorEntry>) => [...entries].reduce((total, { start, end }) => total + end - start, 0)
  const replaced = [...kept.keys()].map((name) => checkpoint.tensors.get(name)!)
  return { ...checkpoint, tensors, bytes: checkpoint.bytes - sum(replaced) + sum(raw.values()), convert: packedConvert }
}

/** Rows of a tensor of the source that stand in a part of a packed one. */
function rowsIn(tensor: string, { packed, pieces = [] }: PackItem, { shard, part: { part, row, rows, start, end } }: Place): TensorEntry[] {
  const width = (end - start) / rows
  return pieces.flatMap((piece) => {
    const first = Math.max(row, piece.offset)
    const last = Math.min(row + rows, piece.offset + piece.rows)
    if (piece.tensor !== tensor || first >= last) return []
    const at = piece.from + first - piece.offset
    const bytes = { file: prefix + shard.file, start: start + (first - row) * width, end: start + (last - row) * width }
    return [{ name: `${tensor}.${part}@${at}`, ...partsOf(packed, last - first, at === 0)[part]!, ...bytes }]
  })
}
