// Loads a model and keeps what it becomes: one that is not quantised in our packed form, made of it while loading; any other as it is. Part of the
// lazy bundle.
import { GlmError } from '../errors.ts'
import { scaled } from '../kernels/matrix.ts'
import { codingOf } from '../model/codings.ts'
import { planEmbedding } from '../model/layout.ts'
import type { CachedSource, CacheOptions } from '../weights/cache.ts'
import { keptSource, type WriterOptions } from '../weights/keep.ts'
import type { LoaderOptions } from '../weights/load.ts'
import type { ShardOptions } from '../weights/shards.ts'
import { readJson, type Source } from '../weights/source.ts'
import { asManifest, deleteFromCache, indexedStore, keptBytes, type PieceStore, rowKey } from '../weights/store.ts'
import type { ModelFiles, readModel } from './checkpoint.ts'
import type { Engine, EngineOptions } from './engine.ts'
import { bytesNeeded, PackedLoad, type PackedLoadOptions } from './packed_load.ts'
import { towerItems } from './packing.ts'

export interface KeepingOptions extends WriterOptions, ShardOptions {
  /** `Engine.load`: this file is fetched alone, without an engine. */
  load: (options: EngineOptions) => Promise<Engine>
  read: typeof readModel
  /** Reads a source through the cache; `keep`: whether its files are kept as they are, or until they are packed. */
  through: (source: Source, keep: NonNullable<CacheOptions['keep']>) => Promise<CachedSource>
  /** Throws where so many bytes have no room under that name: asked before the first of them. */
  room?: (name: string, bytes: number) => Promise<void>
  onWarning?: ((warning: GlmError) => void) | undefined
}

type CodedFormat = 'q4' | 'q8'

/** The row that holds what a model was made into. */
export const keptName = (name: string, format: CodedFormat): string => `${name} as ${format}`

/** `load` has the shape of Engine.load, and takes a source that keeps nothing. Then `finish`, or `close`. */
export class Keeping {
  readonly #options: KeepingOptions
  #cached: CachedSource | undefined
  #packing: PackedLoad | undefined

  constructor(options: KeepingOptions) {
    this.#options = options
  }

  readonly load = async (options: EngineOptions): Promise<Engine> => {
    const { weights = 'file' } = options
    const format: CodedFormat | undefined = weights === 'file' ? 'q4' : weights === 'q4' || weights === 'q8' ? weights : undefined
    const source = remembering(options.source)
    const store = this.#options.store ?? indexedStore()
    if (!format || !store) return this.#asItIs(options, source)
    const name = keptName(source.name, format)
    const row = asManifest(await store.get(rowKey(name)).catch(() => undefined))
    if (row && (row.revision ?? source.revision) !== (source.revision ?? row.revision)) await this.#drop(name, store)
    else if (row?.complete) {
      const engine = await this.#kept(options, name, store)
      if (engine) return engine
    }
    const files = (await mayBePlain(source, options.signal)) ? await this.#options.read(source, options) : undefined
    if (!files || !isPlain(files, weights)) return this.#asItIs(options, source)
    const through = () => this.#options.through(source, 'meanwhile')
    const pack = () => this.#pack(options, source, files, { ...this.#options, through, name, format, store, writer: this.#writer(options) })
    try {
      return await pack()
    } catch (error) {
      const { code } = error as GlmError
      const lost = this.#packing?.lost
      // What holds NaN, or is of a file that changed, is not gone on with.
      if (code === 'weights_invalid') await this.#packing?.forget()
      if (code === 'weights_invalid' || code === 'file_invalid') await this.#drop(name, store)
      if (lost) return pack()
      throw error
    }
  }

  /** Of IndexedDB, other tabs are waited for. */
  #writer({ signal }: EngineOptions): WriterOptions {
    const { origin, store, locks, pieceBytes } = this.#options
    return {
      ...(origin && { origin }),
      ...(signal && { signal }),
      ...(store && { store }),
      ...(locks && { locks }),
      ...(pieceBytes && { pieceBytes }),
    }
  }

  /** Writes down what was kept. */
  async finish(signal?: AbortSignal): Promise<void> {
    await (this.#packing ?? this.#cached)?.finish(signal)
  }

  async close(): Promise<void> {
    await this.#cached?.close()
    await this.#packing?.close()
    this.#cached = undefined
    this.#packing = undefined
  }

  async #asItIs(options: EngineOptions, source: Source): Promise<Engine> {
    await this.close()
    this.#cached = await this.#options.through(source, true)
    return this.#options.load({ ...options, source: this.#cached })
  }

  /** Nothing where pieces were lost: then the source is read again. */
  async #kept(options: EngineOptions, name: string, store: PieceStore): Promise<Engine | undefined> {
    try {
      return await this.#asItIs({ ...options, id: options.id ?? options.source.name }, keptSource(name))
    } catch (error) {
      const { code } = error as GlmError
      if (code !== 'file_missing' && code !== 'file_invalid' && code !== 'file_truncated' && code !== 'tensor_invalid') throw error
      await this.#drop(name, store)
      return undefined
    }
  }

  async #pack(options: EngineOptions, source: Source, files: ModelFiles, own: PackedLoadOptions) {
    await this.close()
    const row = asManifest(await own.store.get(rowKey(source.name)).catch(() => undefined))
    const needed = bytesNeeded(files, own)
    await this.#options.room?.(own.name, needed.packed + Math.max(0, needed.source - (row ? keptBytes(row) : 0)))
    let packing: PackedLoad | undefined
    try {
      packing = await PackedLoad.open(source, files, own)
    } catch (error) {
      if (!(error instanceof GlmError && error.code === 'quota_exceeded')) throw error
      this.#options.onWarning?.(error)
      this.#cached = await this.#options.through(source, false)
      return this.#options.load({ ...options, source: this.#cached })
    }
    // Another tab was first.
    if (!packing) return (await this.#kept(options, own.name, own.store)) ?? this.#asItIs(options, source)
    this.#packing = packing
    const merged: EngineOptions & Pick<LoaderOptions, 'onMatrix'> = {
      ...options,
      admit: undefined, // asked above: other bytes are kept than those that are read
      id: options.id ?? source.name,
      onMatrix: packing.onMatrix,
      ...read(packing, options),
    }
    return this.#options.load(merged)
  }

  async #drop(name: string, store: PieceStore): Promise<void> {
    await this.close()
    await deleteFromCache(name, store).catch(() => {})
  }
}

/** The files are read already, and some of them anew: an engine gets them as it would those of a GGUF. */
function read({ source, files }: PackedLoad, { formats }: EngineOptions): Pick<EngineOptions, 'source' | 'formats'> {
  const given = async () => files
  return {
    source: { ...source, entry: 'packed.gguf' },
    formats: async () => ({ ...(await formats!()), readGguf: given, readForeign: given }),
  }
}

/** Told without reading much: a GGUF by its name, a folder by its config. */
async function mayBePlain(source: Source, signal: AbortSignal | undefined): Promise<boolean> {
  if (source.entry) return /\b(bf16|f16|fp16|f32)\b/i.test(source.entry)
  const config = (await readJson(source, 'config.json', signal)) as Record<string, unknown> | null
  return config?.quantization_config == null
}

/** Plain numbers only, and codes are asked for. */
function isPlain(files: ModelFiles, weights: NonNullable<EngineOptions['weights']>): boolean {
  const { config, checkpoint, sees } = files
  if (sees && towerItems(files).length === 0) return false
  if ([...checkpoint.tensors.values()].some(({ blocks }) => blocks)) return false
  return scaled(codingOf(planEmbedding(config), checkpoint, weights).format)
}

/** Small files are read here first, and again by the engine: they come over the network once. */
function remembering(source: Source): Source {
  const sizes = new Map<string, Promise<number>>()
  const files = new Map<string, Promise<Uint8Array<ArrayBuffer>>>()
  const isSmall = (path: string) => !/\.(safetensors|gguf)$/i.test(path)
  const size: Source['size'] = (path, signal) => held(sizes, path, () => source.size(path, signal))
  const whole = (path: string, signal?: AbortSignal) =>
    held(files, path, async () => source.read(path, 0, await size(path, signal), signal))
  const read: Source['read'] = async (path, start, end, signal) =>
    isSmall(path) ? (await whole(path, signal)).slice(start, end) : source.read(path, start, end, signal)
  const { stream } = source
  return {
    ...source,
    size,
    read,
    ...(stream
      ? {
          async *stream(path, start, end, signal) {
            if (isSmall(path)) yield await read(path, start, end, signal)
            else yield* stream(path, start, end, signal)
          },
        }
      : {}),
  }
}

/** What failed is tried again when it is wanted again. */
function held<T>(known: Map<string, Promise<T>>, key: string, get: () => Promise<T>): Promise<T> {
  const own = known.get(key) ?? get()
  known.set(key, own)
  own.catch(() => known.delete(key))
  return own
}
