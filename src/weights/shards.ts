// Our packed form, laid out: which bytes of which shard each part of each tensor takes, known before a weight is read. Shards that are not the last
// are whole pieces of the cache; safetensors lets a header end in spaces.
import { GlmError } from '../errors.ts'
import { type PackedTensor, partsOf } from './packed.ts'

export interface ShardOptions {
  /** Bytes of a shard at most: whole pieces. */
  shardBytes?: number
  pieceBytes?: number
}

/** Rows of one part of a tensor in a shard. Part `values`: plain numbers. */
export interface PlacedPart {
  tensor: string
  part: 'codes' | 'scales' | 'centres' | 'order' | 'values'
  /** As in the header. */
  name: string
  row: number
  rows: number
  /** Absolute in the file. */
  start: number
  end: number
}

export interface Shard {
  file: string
  bytes: number
  /** What the file begins with. */
  header: Uint8Array<ArrayBuffer>
  /** In the order of their bytes. */
  parts: PlacedPart[]
}

export interface PackedPlan {
  shards: Shard[]
  bytes: number
  /** model.safetensors.index.json, where there is more than one shard. */
  index?: Record<string, unknown>
}

/** A part whose place is not known yet. */
interface Part extends Omit<PlacedPart, 'start' | 'end'> {
  dtype: string
  shape: number[]
  bytes: number
}

const widths: Record<string, number> = { U32: 4, F32: 4, F16: 2, BF16: 2 }
/** Beside its name, what a part takes of the header at most. */
const describedBytes = 140
const metadata = { format: 'pt' }

/** Tensors stay in the order given; one that no shard has room for is cut by rows, into multiples of eight, or has a shard of its own. */
export function planPacked(
  tensors: Iterable<readonly [string, PackedTensor]>,
  { shardBytes = 64 * 2 ** 20, pieceBytes = 2 ** 20 }: ShardOptions = {},
): PackedPlan {
  const room = Math.floor(shardBytes / pieceBytes) * pieceBytes - 128
  const shards: Part[][] = [[]]
  let left = room
  const open = () => {
    if (shards.at(-1)!.length > 0) shards.push([])
    left = room
  }
  for (const [name, tensor] of tensors) {
    const rows = tensor.shape[0]!
    const whole = partsFor(name, tensor, 0, rows, false)
    if (taken(whole) > left) open()
    if (taken(whole) <= left || tensor.whole) {
      shards.at(-1)!.push(...whole)
      left -= taken(whole)
      continue
    }
    for (let row = 0; row < rows; ) {
      const own = fitting(name, tensor, row, left, left === room)
      if (own === 0) {
        if (left === room) throw new GlmError('request_invalid', `A row of ${name} is larger than a shard of ${shardBytes} bytes.`)
        open()
        continue
      }
      const parts = partsFor(name, tensor, row, own, true)
      shards.at(-1)!.push(...parts)
      left -= taken(parts)
      row += own
    }
  }
  return finish(shards, pieceBytes)
}

const taken = (parts: readonly Part[]) => parts.reduce((sum, { bytes, name }) => sum + bytes + name.length * 3 + describedBytes, 0)

/** Rows from `row` on that so many bytes hold: eights, but for the last, and where not even an empty shard holds eight. */
function fitting(name: string, tensor: PackedTensor, row: number, left: number, empty: boolean): number {
  const all = tensor.shape[0]! - row
  const of = (rows: number) => taken(partsFor(name, tensor, row, rows, true))
  if (of(all) <= left) return all
  const each = (of(8) - of(0)) / 8
  const most = Math.floor((left - of(0)) / each)
  return Math.max(0, most >= 8 ? most - (most % 8) : empty ? Math.min(most, all) : 0)
}

function partsFor(tensor: string, packed: PackedTensor, row: number, rows: number, cut: boolean): Part[] {
  return Object.entries(partsOf(packed, rows, row === 0)).map(([part, { dtype, shape }]) => ({
    tensor,
    part: part as Part['part'],
    name: `${tensor}${part === 'values' ? '' : `.${part}`}${cut && part !== 'order' ? `@${row}` : ''}`,
    row,
    rows,
    dtype,
    shape,
    bytes: shape.reduce((product, side) => product * side, widths[dtype]!),
  }))
}

function finish(all: Part[][], pieceBytes: number): PackedPlan {
  const count = String(all.length).padStart(5, '0')
  const shards = all.map((parts, index): Shard => {
    const file = all.length === 1 ? 'model.safetensors' : `model-${String(index + 1).padStart(5, '0')}-of-${count}.safetensors`
    return laidOut(file, parts, index + 1 < all.length ? pieceBytes : undefined)
  })
  const bytes = shards.reduce((sum, shard) => sum + shard.bytes, 0)
  if (shards.length === 1) return { shards, bytes }
  const map = shards.flatMap(({ file, parts }) => parts.map(({ name }) => [name, file] as const))
  return { shards, bytes, index: { metadata: { total_size: bytes }, weight_map: Object.fromEntries(map) } }
}

function laidOut(file: string, parts: readonly Part[], pieceBytes: number | undefined): Shard {
  let at = 0
  const described = parts.map(({ name, dtype, shape, bytes }) => {
    const start = at
    at += bytes
    return [name, { dtype, shape, data_offsets: [start, at] }] as const
  })
  const json = new TextEncoder().encode(JSON.stringify({ __metadata__: metadata, ...Object.fromEntries(described) }))
  const least = 8 + json.length
  const data = pieceBytes === undefined ? Math.ceil(least / 8) * 8 : Math.ceil((least + at) / pieceBytes) * pieceBytes - at
  const header = new Uint8Array(data).fill(0x20)
  header.set(json, 8)
  new DataView(header.buffer).setBigUint64(0, BigInt(data - 8), true)
  const placed = parts.map(({ dtype, shape, bytes, ...part }, index): PlacedPart => {
    const [start, end] = described[index]![1].data_offsets
    return { ...part, start: data + start!, end: data + end! }
  })
  return { file, bytes: data + at, header, parts: placed }
}
