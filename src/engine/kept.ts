// Keeps the packed form of a model that is not quantised: its matrices are written to the cache while they are on the GPU, and the next load reads
// them from there. What a load that was cut off had written is not downloaded again. Part of the lazy bundle.
import type { WeightsFormat } from '../api/types.ts'
import { GlmError } from '../errors.ts'
import { type Matrix, scaled } from '../kernels/matrix.ts'
import { codingOf } from '../model/codings.ts'
import type { Config } from '../model/config.ts'
import { planEmbedding, planHead, planLayer } from '../model/layout.ts'
import type { CachedSource } from '../weights/cache.ts'
import { type CacheWriter, cacheWriter, type FileWriter, keptSource, type WriterOptions } from '../weights/keep.ts'
import type { MatrixPlan } from '../weights/load.ts'
import { manifestFile, type PackedManifest, packedConvert, packedEntries, packedSettings, partsOf } from '../weights/packed.ts'
import { type PackedPlan, type PlacedPart, planPacked, type Shard, type ShardOptions } from '../weights/shards.ts'
import type { Source } from '../weights/source.ts'
import {
  asManifest,
  defaultPieceBytes,
  deleteFromCache,
  indexedStore,
  type PieceStore,
  pieceKey,
  readPiece,
  rowKey,
} from '../weights/store.ts'
import type { Checkpoint, TensorEntry } from '../weights/tensor.ts'
import { type Field, unlay } from '../weights/unlay.ts'
import { decodeVector } from '../weights/vector.ts'
import { type ModelFiles, readModel } from './checkpoint.ts'
import type { Engine, EngineOptions } from './engine.ts'
import { vectorInPlace } from './packer.ts'
import { jsonFile, ownLayout, type PackItem, packItems, type SideFile, sideFiles } from './packing.ts'

export interface KeepingOptions extends WriterOptions, ShardOptions {
  /** `Engine.load`: this file is fetched alone, without an engine. */
  load: (options: EngineOptions) => Promise<Engine>
  /** Reads a source through the cache; `keep`: whether its files are kept as they are. */
  through: (source: Source, keep: boolean) => Promise<CachedSource>
  onWarning?: ((warning: GlmError) => void) | undefined
}

/** The row that holds what a model was made into. */
export const keptName = (name: string, format: 'q4' | 'q8'): string => `${name} as ${format}`

/** Files of a kept tensor stand beside the source's, which may have the same names. */
const prefix = 'packed/'

/** Loads models, and keeps what they become: `load` has the shape of Engine.load. */
export class Keeping {
  readonly #options: KeepingOptions
  #cached: CachedSource | undefined
  #packing: Packing | undefined

  constructor(options: KeepingOptions) {
    this.#options = options
  }

  async load(options: EngineOptions): Promise<Engine> {
    const format = options.weights === 'q8' ? 'q8' : 'q4'
    const coded = options.weights === undefined || options.weights === 'file' || options.weights === format
    if (coded && (await this.#isKept(options.source, format))) {
      try {
        return await this.#read(options, keptSource(keptName(options.source.name, format)))
      } catch (error) {
        if (!isLost(error)) throw error
        await this.#drop(options.source, format)
      }
    }
    const source = remembering(options.source)
    const files = coded ? await readModel(source, options) : undefined
    if (!files || !this.#store || !isPackable(files, options.weights ?? 'file')) return this.#read(options, source)
    try {
      return await this.#pack(options, source, files, format)
    } catch (error) {
      if (error instanceof GlmError && (error.code === 'weights_invalid' || error.code === 'file_invalid')) await this.#drop(source, format)
      if (!(error instanceof GlmError && error.cause === lost)) throw error
      return this.#pack(options, source, files, format)
    }
  }

  /** Writes down what was kept. */
  async finish(signal?: AbortSignal): Promise<void> {
    await this.#packing?.finish(signal)
    await this.#cached?.finish(signal)
  }

  close(): void {
    void this.#packing?.close()
    this.#cached?.close?.()
    this.#packing = undefined
    this.#cached = undefined
  }

  get #store(): PieceStore | undefined {
    return this.#options.store ?? indexedStore()
  }

  async #isKept(source: Source, format: 'q4' | 'q8'): Promise<boolean> {
    const row = asManifest(await this.#store?.get(rowKey(keptName(source.name, format))).catch(() => undefined))
    if (!row?.complete) return false
    if (row.revision === undefined || source.revision === undefined || row.revision === source.revision) return true
    await this.#drop(source, format)
    return false
  }

  async #drop(source: Source, format: 'q4' | 'q8'): Promise<void> {
    await deleteFromCache(keptName(source.name, format), this.#store).catch(() => {})
  }

  async #read(options: EngineOptions, source: Source): Promise<Engine> {
    this.close()
    this.#cached = await this.#options.through(source, true)
    return this.#options.load({ ...options, source: this.#cached })
  }

  async #pack(options: EngineOptions, source: Source, files: ModelFiles, format: 'q4' | 'q8'): Promise<Engine> {
    this.close()
    const cached = await this.#options.through(source, false)
    this.#cached = cached
    const own = { ...this.#options, store: this.#store! }
    const packing = await Packing.open(cached, files, format, own).catch((error) => this.#warn(error))
    if (!packing) return this.#options.load({ ...options, source: cached })
    this.#packing = packing
    const merged: EngineOptions & Pick<Packing, 'onMatrix'> = {
      ...options,
      // The files are read already, and some of them anew: the engine gets them as it would those of a GGUF.
      source: { ...packing.source, entry: 'packed.gguf' },
      formats: async () => ({ readGguf: async () => packing.files, readForeign: async () => packing.files }),
      id: options.id ?? source.name,
      onMatrix: packing.onMatrix,
    }
    return this.#options.load(merged)
  }

  #warn(error: unknown): undefined {
    if (!(error instanceof GlmError && error.code === 'quota_exceeded')) throw error
    this.#options.onWarning?.(error)
  }
}

/** Plain numbers only, and codes asked for all of them. */
function isPackable({ config, checkpoint }: ModelFiles, weights: WeightsFormat): boolean {
  if ([...checkpoint.tensors.values()].some(({ blocks }) => blocks)) return false
  return scaled(codingOf(planEmbedding(config), checkpoint, weights).format)
}

/** Marks that a piece which the row names was not there. */
const lost = new Error('A kept piece was lost.')
const isLost = (error: unknown): boolean =>
  error instanceof GlmError &&
  ['file_missing', 'file_invalid', 'file_truncated', 'tensor_invalid', 'config_unsupported'].includes(error.code)

/** One load while it is packed. */
class Packing {
  readonly files: ModelFiles
  readonly source: Source
  readonly onMatrix: (plan: MatrixPlan, matrix: Matrix) => Promise<void>
  readonly #writer: CacheWriter
  readonly #items: PackItem[]
  readonly #shards: KeptShard[]
  readonly #original: ModelFiles
  readonly #reader: Source
  readonly #options: KeepingOptions
  /** Vectors as the loader read them. */
  readonly #vectors = new Map<string, Uint8Array<ArrayBuffer> | undefined>()
  #device: GPUDevice | undefined
  #stopped = false

  static async open(
    source: Source,
    files: ModelFiles,
    format: 'q4' | 'q8',
    options: KeepingOptions & { store: PieceStore },
  ): Promise<Packing> {
    const { revision } = source
    const name = keptName(source.name, format)
    const origin = { source: source.name, ...(revision ? { revision } : {}), ...options.origin }
    const writer = await cacheWriter(name, { ...options, origin })
    try {
      const items = packItems(files.config, files.checkpoint, { weights: format })
      const plan = planPacked(
        items.map(({ name, packed }) => [name, packed]),
        options,
      )
      const shards = []
      for (const shard of plan.shards) shards.push(new KeptShard(shard, await writer.open(shard.file, shard.bytes)))
      if (plan.index) await putWhole(writer, jsonFile('model.safetensors.index.json', plan.index))
      return new Packing(source, files, writer, items, plan, shards, { ...options, store: options.store }, name)
    } catch (error) {
      await writer.close().catch(() => {})
      throw error
    }
  }

  private constructor(
    source: Source,
    files: ModelFiles,
    writer: CacheWriter,
    items: PackItem[],
    plan: PackedPlan,
    shards: KeptShard[],
    options: KeepingOptions & { store: PieceStore },
    name: string,
  ) {
    this.#writer = writer
    this.#items = items
    this.#shards = shards
    this.#original = files
    this.#options = options
    this.#reader = source
    for (const { name, vector } of items) {
      const entry = vector && files.checkpoint.tensors.get(name)
      if (entry) this.#vectors.set(keyOf(entry), undefined)
    }
    const checkpoint = merged(files, items, shards)
    this.files = { ...files, checkpoint }
    this.source = this.#merged(source, plan, options, name)
    this.onMatrix = (plan, matrix) => this.#keep(plan, matrix)
  }

  /** What is kept already comes from the cache, the rest from the source. */
  #merged(
    source: Source,
    { shards }: PackedPlan,
    { store, pieceBytes = defaultPieceBytes }: KeepingOptions & { store: PieceStore },
    name: string,
  ) {
    const sizes = new Map(shards.map(({ file, bytes }) => [file, bytes]))
    const merged: Source = {
      name: source.name,
      size: (path, signal) => source.size(path, signal),
      announce: (ranges) => source.announce?.(ranges.filter(({ file }) => !file.startsWith(prefix))),
      read: async (path, start, end, signal) => {
        if (path.startsWith(prefix)) {
          const file = path.slice(prefix.length)
          return readPieces(store, name, file, sizes.get(file)!, pieceBytes, start, end)
        }
        const bytes = await source.read(path, start, end, signal)
        const key = keyOf({ file: path, start, end })
        if (this.#vectors.has(key)) this.#vectors.set(key, bytes)
        return bytes
      },
    }
    return merged
  }

  async #keep(plan: MatrixPlan, matrix: Matrix): Promise<void> {
    const own = ownPlan(this.#original.config, plan)
    const names = new Set(own.pieces.map(({ tensor }) => tensor))
    await this.#guarded(async () => {
      for (const shard of this.#shards) {
        for (const part of shard.parts) if (names.has(part.tensor)) await this.#part(shard, part, own, matrix)
      }
    })
  }

  async #part(shard: KeptShard, part: PlacedPart, own: MatrixPlan, matrix: Matrix): Promise<void> {
    if (shard.has(part)) return
    let at = part.start
    for (const { tensor, from, rows, offset, step } of own.pieces) {
      const first = Math.max(part.row, from)
      const last = Math.min(part.row + part.rows, from + rows)
      if (tensor !== part.tensor || first >= last) continue
      await unlay(this.#deviceOf(matrix), matrix, { offset, step }, first - from, last - first, part.part as Field, async (bytes) => {
        await shard.put(at, bytes)
        at += bytes.length
      })
    }
  }

  /** Writes what stands beside the matrices, and the manifest last. */
  async finish(signal?: AbortSignal): Promise<void> {
    const { config, checkpoint } = this.#original
    await this.#guarded(async () => {
      const vectors = new Map(this.#items.flatMap(({ name, vector }) => (vector ? [[name, vector] as const] : [])))
      for (const shard of this.#shards) {
        for (const part of shard.parts) {
          const vector = vectors.get(part.tensor)
          if (!vector || shard.has(part)) continue
          const entry = checkpoint.tensors.get(part.tensor)!
          const bytes = this.#vectors.get(keyOf(entry)) ?? (await this.#reader.read(entry.file, entry.start, entry.end, signal))
          await shard.put(part.start, new Uint8Array(vectorInPlace(decodeVector(entry, bytes), vector.moves).buffer))
        }
        await shard.close()
      }
      for (const file of await sideFiles(this.#reader, this.#original, signal)) await putWhole(this.#writer, file)
      await putWhole(this.#writer, jsonFile(manifestFile, this.#manifest()))
      await this.#writer.finish()
    })
    void config
  }

  #manifest(): PackedManifest {
    const { name, revision, sha256 } = this.#reader
    const files = new Set([...this.#original.checkpoint.tensors.values()].map(({ file }) => file))
    const hash = files.size === 1 ? sha256?.([...files][0]!) : undefined
    return {
      version: packedSettings.version,
      source: { name, ...(revision ? { revision } : {}), ...(hash ? { sha256: hash } : {}) },
      ...(this.#options.origin?.licence ? { licence: this.#options.origin.licence } : {}),
      shards: this.#shards.map(({ file, bytes }) => ({ file, bytes })),
      tensors: Object.fromEntries(this.#items.map(({ name, packed }) => [name, packed])),
    }
  }

  async close(): Promise<void> {
    await this.#writer.close().catch(() => {})
  }

  #deviceOf(_matrix: Matrix): GPUDevice {
    return this.#device!
  }

  /** A cache that is full costs the next load its speed, not this one its end. */
  async #guarded(work: () => Promise<void>): Promise<void> {
    if (this.#stopped) return
    try {
      await work()
    } catch (error) {
      if (!(error instanceof GlmError && error.code === 'quota_exceeded')) throw error
      this.#stopped = true
      this.#options.onWarning?.(error)
    }
  }
}
