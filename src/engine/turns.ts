// In which order the matrices of a load become whole: the packed form is written front to back, and has its tensors in that order. A matrix that is
// there before its turn waits on the GPU. Part of the lazy bundle.
import type { Checkpoint } from '../weights/tensor.ts'
import type { PackItem } from './packing.ts'

/** The matrix that a packed tensor goes into: q, k and v are one. */
export const turnOf = (tensor: string): string => tensor.replace(/\b[qkv]_proj\b/, 'qkv_proj')

/** As the loader reads: by file as they are first wanted, by byte within. Vectors last. */
export function inTurns({ tensors }: Checkpoint, items: readonly PackItem[]): PackItem[] {
  const entriesOf = ({ pieces = [] }: PackItem) => pieces.flatMap(({ tensor }) => tensors.get(tensor) ?? [])
  const files = [...new Set(items.flatMap(entriesOf).map(({ file }) => file))]
  const ends = new Map<string, [file: number, byte: number]>()
  for (const item of items) {
    const turn = turnOf(item.name)
    for (const { file, start } of entriesOf(item)) {
      const [last, byte] = ends.get(turn) ?? [-1, 0]
      const at = files.indexOf(file)
      if (at > last || (at === last && start > byte)) ends.set(turn, [at, start])
    }
  }
  const end = ({ name, vector }: PackItem) => (vector ? undefined : ends.get(turnOf(name))) ?? [files.length, 0]
  return items
    .map((item) => ({ item, end: end(item) }))
    .sort((one, other) => one.end[0] - other.end[0] || one.end[1] - other.end[1])
    .map(({ item }) => item)
}
