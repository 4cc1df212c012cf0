// One load whose matrices are kept as they become: written to the cache in our packed form while they are on the GPU. What they are made of is kept
// until then, so that a load that was cut off goes on where it was. Part of the lazy bundle.
import { GlmError } from '../errors.ts'
import type { Matrix } from '../kernels/matrix.ts'
import type { Config } from '../model/config.ts'
import { planEmbedding, planHead, planLayer } from '../model/layout.ts'
import type { CachedSource } from '../weights/cache.ts'
import { type CacheWriter, cacheWriter, type WriterOptions } from '../weights/keep.ts'
import { KeptShard, putWhole, readKept } from '../weights/kept_shard.ts'
import type { MatrixPlan } from '../weights/load.ts'
import { manifestFile, type PackedManifest, packedSettings } from '../weights/packed.ts'
import { type PackedPlan, type PlacedPart, planPacked, type ShardOptions } from '../weights/shards.ts'
import type { Source } from '../weights/source.ts'
import { deleteFromCache, digest, hex, type PieceStore } from '../weights/store.ts'
import type { Checkpoint, TensorEntry } from '../weights/tensor.ts'
import { type Field, unlay } from '../weights/unlay.ts'
import { decodeVector } from '../weights/vector.ts'
import type { ModelFiles } from './checkpoint.ts'
import { vectorInPlace } from './packer.ts'
import { jsonFile, ownLayout, type PackItem, packItems, sideFiles, towerItems } from './packing.ts'
import { type Place, placesOf, prefix, withKept } from './resumed.ts'
import { meanwhileBytes, Wanted } from './wanted.ts'

export interface PackedLoadOptions extends ShardOptions {
  /** Names the row. */
  name: string
  format: 'q4' | 'q8'
  /** What `writer` and `through` write to. */
  store: PieceStore
  writer: WriterOptions
  /** Opens the source through the cache. Called when other tabs have let the row go: they wait for its lock with no other one in hand. */
  through: () => Promise<CachedSource>
  onWarning?: ((warning: GlmError) => void) | undefined
}

/** Bytes of what a model is made into, and of what is kept of its source at a time. */
export function bytesNeeded(files: ModelFiles, options: PackedLoadOptions): { packed: number; source: number } {
  const items = itemsOf(files, options)
  return { packed: planOf(items, options).bytes, source: meanwhileBytes(files.checkpoint, items, options.pieceBytes) }
}

/** The text model in codes, its tower as it is. */
const itemsOf = (files: ModelFiles, { format }: PackedLoadOptions): PackItem[] => [
  ...packItems(files.config, files.checkpoint, { weights: format }),
  ...towerItems(files),
]

const planOf = (items: readonly PackItem[], options: ShardOptions): PackedPlan =>
  planPacked(
    items.map(({ name, packed }) => [name, packed]),
    options,
  )

/** Bytes of a tower that are in memory at once. */
const copiedBytes = 2 ** 22

/** Names the files that a row is made of, and how it is laid out: what was kept of others is of no use. */
const marksFile = 'source.json'

export class PackedLoad {
  /** Kept tensors in place of the source's, where there are any. */
  readonly files: ModelFiles
  /** Reads both. */
  readonly source: Source
  readonly #original: ModelFiles
  readonly #reader: CachedSource
  readonly #options: PackedLoadOptions
  readonly #writer: CacheWriter
  readonly #items: PackItem[]
  readonly #shards: KeptShard[]
  readonly #index: PackedPlan['index']
  /** Vectors as the loader read them. */
  readonly #vectors = new Map<string, Uint8Array<ArrayBuffer> | undefined>()
  readonly #wanted: Wanted
  /** Tensors whose packed form is not in the cache yet. */
  readonly #open: Map<string, Place[]>
  #stopped = false
  #lost = false

  /** Nothing where another tab has kept the model meanwhile. Throws `quota_exceeded` where nothing can be kept. */
  static async open(source: Source, files: ModelFiles, options: PackedLoadOptions): Promise<PackedLoad | undefined> {
    const { revision } = source
    const origin = { source: source.name, ...(revision ? { revision } : {}), ...options.writer.origin }
    const writer = await cacheWriter(options.name, { ...options.writer, origin })
    if (writer.complete) {
      await writer.close()
      return undefined
    }
    let reader: CachedSource | undefined
    try {
      const marks = await marksOf(source, files.checkpoint)
      const items = itemsOf(files, options)
      const plan = planOf(items, options)
      const file = jsonFile(marksFile, { revision, marks, layout: await layoutOf(plan) })
      const old = await readKept(options, marksFile, file.bytes.length)
      if (old?.join() !== file.bytes.join()) {
        await writer.clear()
        await putWhole(writer, file)
      }
      reader = await options.through()
      if (!(await isOf(reader, marks))) {
        await reader.close()
        await deleteFromCache(source.name, options.store)
        reader = await options.through()
        await isOf(reader, marks)
      }
      const shards = []
      for (const shard of plan.shards) shards.push(await KeptShard.open(writer, shard))
      const load = new PackedLoad(reader, files, options, writer, items, shards, plan.index)
      await load.#dropWritten()
      return load
    } catch (error) {
      await reader?.close()
      await writer.close().catch(() => {})
      throw error
    }
  }

  private constructor(
    reader: CachedSource,
    files: ModelFiles,
    options: PackedLoadOptions,
    writer: CacheWriter,
    items: PackItem[],
    shards: KeptShard[],
    index: PackedPlan['index'],
  ) {
    this.#reader = reader
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
    this.#wanted = new Wanted(files.checkpoint, items)
    this.#open = placesOf(shards)
    this.files = { ...files, checkpoint: withKept(files.checkpoint, items, this.#open) }
    for (const { name, vector, copied } of items) if (vector || copied) this.#open.delete(name) // written last
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

  /** For the loader: a matrix is on the GPU. They come as planned, and so are written front to back. */
  readonly onMatrix = async (plan: MatrixPlan, matrix: Matrix, device: GPUDevice): Promise<void> => {
    const { pieces } = ownPlan(this.#original.config, plan)
    await this.#guarded(async () => {
      await this.#write(pieces, matrix, device)
      await this.#dropWritten()
    })
  }

  async #write(pieces: MatrixPlan['pieces'], matrix: Matrix, device: GPUDevice): Promise<void> {
    const names = new Set(pieces.map(({ tensor }) => tensor))
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
  }

  /** Pieces of the source that are packed by now, where a later load finds that. */
  async #dropWritten(): Promise<void> {
    const written = [...this.#open].flatMap(([tensor, places]) => (places.every(({ shard, part }) => shard.holds(part)) ? [tensor] : []))
    if (written.length === 0) return
    for (const tensor of written) this.#open.delete(tensor)
    await this.#writer.save()
    await this.#reader.drop(this.#wanted.less(written))
  }

  /** Writes what stands beside the matrices, and the manifest last. */
  async finish(signal?: AbortSignal): Promise<void> {
    const { tensors } = this.#original.checkpoint
    const vectors = new Map(this.#items.flatMap(({ name, vector }) => (vector ? [[name, vector] as const] : [])))
    const tower = new Map(this.#items.flatMap(({ name, copied }) => (copied ? [[name, copied] as const] : [])))
    await this.#guarded(async () => {
      for (const shard of this.#shards) {
        for (const part of shard.parts) {
          if (shard.has(part)) continue
          const copied = tower.get(part.tensor)
          if (copied) await this.#copy(copied, shard, part.start, signal)
          const vector = vectors.get(part.tensor)
          if (!vector) continue
          const entry = tensors.get(part.tensor)!
          const bytes = this.#vectors.get(keyOf(entry)) ?? (await this.#reader.read(entry.file, entry.start, entry.end, signal))
          await shard.put(part.start, new Uint8Array(vectorInPlace(decodeVector(entry, bytes), vector.moves).buffer))
        }
        await shard.close()
      }
      if (this.#index) await putWhole(this.#writer, jsonFile('model.safetensors.index.json', this.#index))
      for (const file of await sideFiles(this.#reader, this.#original, signal, tower.size > 0)) await putWhole(this.#writer, file)
      await putWhole(this.#writer, jsonFile(manifestFile, this.#manifest()))
      // First, so that no row is left of a load whose packed form is complete.
      await this.#reader.finish(signal)
      await this.#writer.finish()
      this.#stopped = true
    })
  }

  /** A tensor as the source has it, a few pieces at a time. */
  async #copy({ file, start, end }: TensorEntry, shard: KeptShard, to: number, signal?: AbortSignal): Promise<void> {
    for (let at = start; at < end; at += copiedBytes) {
      await shard.put(to + at - start, await this.#reader.read(file, at, Math.min(end, at + copiedBytes), signal))
    }
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

  /** What was written, and what was read since, stays for the next load. */
  async close(): Promise<void> {
    await this.#reader.close()
    await this.#stop()
  }

  /** What was read is of no use. */
  forget(): Promise<void> {
    return this.#reader.drop()
  }

  async #stop(): Promise<void> {
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
      await this.#reader.drop()
      await this.#stop()
    }
  }
}

const keyOf = ({ file, start, end }: Pick<TensorEntry, 'file' | 'start' | 'end'>): string => `${file} ${start} ${end}`

const weightFiles = ({ tensors }: Checkpoint): string[] => [...new Set([...tensors.values()].map(({ file }) => file))].sort()

/** Names the layout of the shards: their headers. */
const layoutOf = async ({ shards }: PackedPlan): Promise<string> =>
  hex(await digest(new Uint8Array(await new Blob(shards.map(({ header }) => header)).arrayBuffer())))

interface Mark {
  file: string
  size: number
  etag: string | undefined
}

/** Size and ETag of every file. */
async function marksOf(source: Source, checkpoint: Checkpoint): Promise<Mark[]> {
  const marks = []
  for (const file of weightFiles(checkpoint)) marks.push({ file, size: await source.size(file), etag: source.etag?.(file) })
  return marks
}

/** Whether what is kept is of these files. Asked here, their sizes are known when the loader announces its ranges. */
async function isOf(source: Source, marks: readonly Mark[]): Promise<boolean> {
  let same = true
  for (const { file, size, etag } of marks) {
    const own = await source.size(file).catch(() => undefined)
    const ownEtag = source.etag?.(file)
    if (own !== size || (etag && ownEtag && etag !== ownEtag)) same = false
  }
  return same
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
