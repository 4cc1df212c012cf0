// One load whose matrices are kept as they become: written to the cache in our packed form while they are on the GPU. What an earlier load that was
// cut off had written is taken from there. Part of the lazy bundle.
import { GlmError } from '../errors.ts'
import type { Matrix } from '../kernels/matrix.ts'
import type { Config } from '../model/config.ts'
import { planEmbedding, planHead, planLayer } from '../model/layout.ts'
import { type CacheWriter, cacheWriter, type WriterOptions } from '../weights/keep.ts'
import { KeptShard, putWhole, readKept } from '../weights/kept_shard.ts'
import type { MatrixPlan } from '../weights/load.ts'
import { manifestFile, type PackedManifest, packedConvert, packedEntries, packedSettings, partsOf } from '../weights/packed.ts'
import { type PackedPlan, type PlacedPart, planPacked, type ShardOptions } from '../weights/shards.ts'
import type { Source } from '../weights/source.ts'
import { deleteFromCache, type PieceStore } from '../weights/store.ts'
import type { Checkpoint, TensorEntry } from '../weights/tensor.ts'
import { type Field, unlay } from '../weights/unlay.ts'
import { decodeVector } from '../weights/vector.ts'
import type { ModelFiles } from './checkpoint.ts'
import { vectorInPlace } from './packer.ts'
import { jsonFile, ownLayout, type PackItem, packItems, sideFiles } from './packing.ts'

export interface PackedLoadOptions extends ShardOptions {
  /** Names the row. */
  name: string
  format: 'q4' | 'q8'
  /** What `writer` writes to. */
  store: PieceStore
  writer: WriterOptions
  onWarning?: ((warning: GlmError) => void) | undefined
}

/** Bytes of what a model is made into: what is kept of it. */
export const packedBytes = ({ config, checkpoint }: ModelFiles, format: 'q4' | 'q8', options: ShardOptions): number =>
  planOf(packItems(config, checkpoint, { weights: format }), options).bytes

const planOf = (items: readonly PackItem[], options: ShardOptions): PackedPlan =>
  planPacked(
    items.map(({ name, packed }) => [name, packed]),
    options,
  )

/** Kept tensors stand beside the source's files, which may have the same names. */
const prefix = 'packed/'
/** Names the files that a row is made of: what was kept of others is of no use. */
const marksFile = 'source.json'

export class PackedLoad {
  /** Kept tensors in place of the source's, where there are any. */
  readonly files: ModelFiles
  /** Reads both. */
  readonly source: Source
  readonly #original: ModelFiles
  readonly #reader: Source
  readonly #options: PackedLoadOptions
  readonly #writer: CacheWriter
  readonly #items: PackItem[]
  readonly #shards: KeptShard[]
  readonly #index: PackedPlan['index']
  /** Vectors as the loader read them. */
  readonly #vectors = new Map<string, Uint8Array<ArrayBuffer> | undefined>()
  #stopped = false
  #lost = false

  /** Nothing where another tab has kept the model meanwhile. Throws `quota_exceeded` where nothing can be kept. */
  static async open(source: Source, files: ModelFiles, options: PackedLoadOptions): Promise<PackedLoad | undefined> {
    const { revision } = source
    const origin = { source: source.name, ...(revision ? { revision } : {}), ...options.writer.origin }
    const open = () => cacheWriter(options.name, { ...options.writer, origin })
    let writer = await open()
    if (writer.complete) {
      await writer.close()
      return undefined
    }
    try {
      const marks = jsonFile(marksFile, await marksOf(source, files.checkpoint))
      const old = await readKept(options, marksFile, marks.bytes.length)
      if (old?.join() !== marks.bytes.join()) {
        await writer.close()
        await deleteFromCache(options.name, options.store)
        writer = await open()
        await putWhole(writer, marks)
      }
      const items = packItems(files.config, files.checkpoint, { weights: options.format })
      const plan = planOf(items, options)
      const shards = []
      for (const shard of plan.shards) shards.push(await KeptShard.open(writer, shard))
      return new PackedLoad(source, files, options, writer, items, shards, plan.index)
    } catch (error) {
      await writer.close().catch(() => {})
      throw error
    }
  }

  private constructor(
    source: Source,
    files: ModelFiles,
    options: PackedLoadOptions,
    writer: CacheWriter,
    items: PackItem[],
    shards: KeptShard[],
    index: PackedPlan['index'],
  ) {
    this.#reader = source
    this.#original = files
    this.#options = options
    this.#writer = writer
    this.#items = items
    this.#shards = shards
    this.#index = index
    for (const { name, vector } of items) {
      const entry = vector && files.checkpoint.tensors.get(name)
      if (entry) this.#vectors.set(keyOf(entry), undefined)
    }
    this.files = { ...files, checkpoint: withKept(files, items, shards) }
    this.source = this.#both()
  }

  /** What is kept already comes from the cache, the rest from the source. */
  #both(): Source {
    const source = this.#reader
    const sizes = new Map(this.#shards.map(({ file, bytes }) => [file, bytes]))
    return {
      name: source.name,
      size: (path, signal) => source.size(path, signal),
      announce: (ranges) => source.announce?.(ranges.filter(({ file }) => !file.startsWith(prefix))),
      read: async (path, start, end, signal) => {
        if (path.startsWith(prefix)) {
          const file = path.slice(prefix.length)
          const bytes = await readKept(this.#options, file, sizes.get(file)!, start, end)
          if (bytes) return bytes
          this.#lost = true
          throw new GlmError('file_invalid', `A piece of ${file} that was kept of ${source.name} is gone; load the model again.`)
        }
        const bytes = await source.read(path, start, end, signal)
        const key = keyOf({ file: path, start, end })
        if (this.#vectors.has(key)) this.#vectors.set(key, bytes)
        return bytes
      },
    }
  }

  /** Whether the row named a piece that was not there. */
  get lost(): boolean {
    return this.#lost
  }

  /** For the loader: a matrix is on the GPU. */
  readonly onMatrix = async (plan: MatrixPlan, matrix: Matrix, device: GPUDevice): Promise<void> => {
    const { pieces } = ownPlan(this.#original.config, plan)
    const names = new Set(pieces.map(({ tensor }) => tensor))
    await this.#guarded(async () => {
      for (const shard of this.#shards) {
        for (const part of shard.parts) {
          if (!names.has(part.tensor) || shard.has(part)) continue
          let at = part.start
          for (const { first, rows, lay } of rowsOf(pieces, part)) {
            await unlay(device, matrix, lay, first, rows, part.part as Field, async (bytes) => {
              await shard.put(at, bytes)
              at += bytes.length
            })
          }
        }
      }
    })
  }

  /** Writes what stands beside the matrices, and the manifest last. */
  async finish(signal?: AbortSignal): Promise<void> {
    const { tensors } = this.#original.checkpoint
    const vectors = new Map(this.#items.flatMap(({ name, vector }) => (vector ? [[name, vector] as const] : [])))
    await this.#guarded(async () => {
      for (const shard of this.#shards) {
        for (const part of shard.parts) {
          const vector = vectors.get(part.tensor)
          if (!vector || shard.has(part)) continue
          const entry = tensors.get(part.tensor)!
          const bytes = this.#vectors.get(keyOf(entry)) ?? (await this.#reader.read(entry.file, entry.start, entry.end, signal))
          await shard.put(part.start, new Uint8Array(vectorInPlace(decodeVector(entry, bytes), vector.moves).buffer))
        }
        await shard.close()
      }
      if (this.#index) await putWhole(this.#writer, jsonFile('model.safetensors.index.json', this.#index))
      for (const file of await sideFiles(this.#reader, this.#original, signal)) await putWhole(this.#writer, file)
      await putWhole(this.#writer, jsonFile(manifestFile, this.#manifest()))
      await this.#writer.finish()
      this.#stopped = true
    })
  }

  #manifest(): PackedManifest {
    const { name, revision, sha256 } = this.#reader
    const files = weightFiles(this.#original.checkpoint)
    const hash = files.length === 1 ? sha256?.(files[0]!) : undefined
    const { licence } = this.#options.writer.origin ?? {}
    return {
      version: packedSettings.version,
      source: { name, ...(revision ? { revision } : {}), ...(hash ? { sha256: hash } : {}) },
      ...(licence === undefined ? {} : { licence }),
      // Pieces have hashes of their own.
      shards: this.#shards.map(({ file, bytes }) => ({ file, bytes })),
      tensors: Object.fromEntries(this.#items.map(({ name, packed }) => [name, packed])),
    }
  }

  /** What was written stays for the next load. */
  async close(): Promise<void> {
    this.#stopped = true
    await this.#writer.close().catch(() => {})
  }

  /** A cache that is full costs the next load its speed, not this one its end. */
  async #guarded(work: () => Promise<void>): Promise<void> {
    if (this.#stopped) return
    try {
      await work()
    } catch (error) {
      if (!(error instanceof GlmError && error.code === 'quota_exceeded')) throw error
      this.#options.onWarning?.(error)
      await this.close()
    }
  }
}

const keyOf = ({ file, start, end }: Pick<TensorEntry, 'file' | 'start' | 'end'>): string => `${file} ${start} ${end}`

const weightFiles = ({ tensors }: Checkpoint): string[] => [...new Set([...tensors.values()].map(({ file }) => file))].sort()

/** Size and ETag of every file; asked here, they are known when the loader announces its ranges. */
async function marksOf(source: Source, checkpoint: Checkpoint): Promise<unknown> {
  const marks = []
  for (const file of weightFiles(checkpoint)) marks.push({ file, size: await source.size(file), etag: source.etag?.(file) })
  return { revision: source.revision, marks }
}

/** The matrix as our own layout has it: the same rows, of tensors under Hugging Face's names. */
function ownPlan(config: Config, { name, pieces }: MatrixPlan): MatrixPlan {
  const [, layer] = /\.layers\.(\d+)\./.exec(pieces[0]!.tensor) ?? []
  if (layer === undefined) return name === 'head' ? planHead(config) : planEmbedding(config)
  const { qkv, o, gateUp, down } = planLayer(ownLayout(config), Number(layer))
  return [qkv, o, gateUp, down].find((plan) => plan.name === name)!
}

/** Where the rows of a part stand in a matrix: `first` counts from the piece's own first row. */
function rowsOf(pieces: MatrixPlan['pieces'], { tensor, row, rows }: PlacedPart) {
  return pieces.flatMap((piece) => {
    const first = Math.max(row, piece.from)
    const last = Math.min(row + rows, piece.from + piece.rows)
    return piece.tensor === tensor && first < last ? [{ first: first - piece.from, rows: last - first, lay: piece }] : []
  })
}

/** Tensors whose bytes are all kept, in place of the source's. Only where both have the same names. */
function withKept({ config, checkpoint }: ModelFiles, items: readonly PackItem[], shards: readonly KeptShard[]): Checkpoint {
  if (config.halves || config.apart || config.together) return checkpoint
  const kept = new Map(items.filter(({ coding }) => coding).map(({ name, packed }) => [name, packed]))
  for (const shard of shards) for (const part of shard.parts) if (!shard.has(part)) kept.delete(part.tensor)
  const raw = new Map<string, TensorEntry>()
  for (const shard of shards) {
    for (const { tensor, part, name, row, rows, start, end } of shard.parts) {
      const packed = kept.get(tensor)
      if (packed) raw.set(name, { name, ...partsOf(packed, rows, row === 0)[part]!, file: prefix + shard.file, start, end })
    }
  }
  if (kept.size === 0) return checkpoint
  const tensors = new Map(checkpoint.tensors)
  for (const entry of packedEntries(raw, kept)) tensors.set(entry.name, entry)
  const size = ({ start, end }: TensorEntry) => end - start
  const sum = (entries: Iterable<TensorEntry>) => [...entries].reduce((total, entry) => total + size(entry), 0)
  const replaced = [...kept.keys()].flatMap((name) => checkpoint.tensors.get(name) ?? [])
  return { ...checkpoint, tensors, bytes: checkpoint.bytes - sum(replaced) + sum(raw.values()), convert: packedConvert }
}
