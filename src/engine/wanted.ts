// Which bytes of its source a load still wants: those of tensors whose packed form is not in the cache yet. The others need not be kept any longer.
// Part of the lazy bundle.
import { defaultPieceBytes } from '../weights/store.ts'
import type { ByteRange, Checkpoint, TensorEntry } from '../weights/tensor.ts'
import type { PackItem } from './packing.ts'
import { inOrder } from './resumed.ts'

export class Wanted {
  /** Tensors of the source, and the packed ones that each of them goes into. One whose rows change their order is wanted to the end. */
  readonly #uses = new Map<TensorEntry, Set<string>>()

  constructor(checkpoint: Checkpoint, items: readonly PackItem[]) {
    for (const item of items) {
      for (const entry of sourcesOf(checkpoint, item)) {
        const uses = this.#uses.get(entry) ?? new Set()
        this.#uses.set(entry, uses.add(item.name))
        if (!inOrder(item)) uses.add('')
      }
    }
  }

  /** These packed tensors are there: the stretches of bytes, as wide as they are, in which nothing is wanted any more. */
  less(names: readonly string[]): ByteRange[] {
    const free: TensorEntry[] = []
    for (const [entry, uses] of this.#uses) {
      for (const name of names) if (uses.delete(name) && uses.size === 0) free.push(entry)
    }
    for (const entry of free) this.#uses.delete(entry)
    const stretches = free.flatMap((entry) => this.#around(entry) ?? [])
    return [...new Map(stretches.map((range) => [`${range.start} ${range.file}`, range])).values()]
  }

  /** Nothing where another tensor has bytes in common. */
  #around({ file, start, end }: TensorEntry): ByteRange | undefined {
    const range = { file, start: 0, end: Number.POSITIVE_INFINITY }
    for (const other of this.#uses.keys()) {
      if (other.file !== file) continue
      if (other.end <= start) range.start = Math.max(range.start, other.end)
      else if (other.start >= end) range.end = Math.min(range.end, other.start)
      else return undefined
    }
    return range
  }
}

/** The tensors of the source that a packed one is made of. */
function sourcesOf({ tensors }: Checkpoint, { name, pieces, vector, copied }: PackItem): Set<TensorEntry> {
  const names = pieces?.map(({ tensor }) => tensor) ?? (vector ? [vector.tensor] : copied ? [name] : [])
  return new Set(names.flatMap((name) => tensors.get(name) ?? []))
}

/**
 * Bytes of a source that are kept at a time at most: of a matrix, of the one before, whose last bytes wait for a whole piece, and of the one that is
 * read ahead; what is wanted to the end, such as a tower; and the pieces in which vectors lie.
 */
export function meanwhileBytes(checkpoint: Checkpoint, items: readonly PackItem[], pieceBytes = defaultPieceBytes): number {
  const pieces = new Set<string>()
  const lasting = new Set<TensorEntry>()
  const matrices = new Map<string, Set<TensorEntry>>()
  for (const item of items) {
    const sources = sourcesOf(checkpoint, item)
    const matrix = item.name.replace(/[qkv]_proj/, 'qkv')
    if (item.vector) for (const { file, start } of sources) pieces.add(`${file} ${Math.floor(start / pieceBytes)}`)
    else if (inOrder(item) && !item.copied) matrices.set(matrix, new Set([...(matrices.get(matrix) ?? []), ...sources]))
    else for (const entry of sources) lasting.add(entry)
  }
  const sizes = [...matrices.values()].map(sum)
  const open = sizes.map((size, index) => (sizes[index - 1] ?? 0) + size + (sizes[index + 1] ?? 0))
  return Math.min(checkpoint.bytes, Math.max(0, ...open) + sum(lasting) + pieces.size * pieceBytes)
}

const sum = (entries: Iterable<TensorEntry>) => [...entries].reduce((total, { start, end }) => total + end - start, 0)
