// `pack`: a model in, a folder in our packed form out. Weights go through the GPU a slice at a time; the manifest comes last, so that a run that was
// cut off leaves nothing that looks whole.
import { createHash } from 'node:crypto'
import { createReadStream, mkdirSync, readdirSync, realpathSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { type ModelFiles, readModel } from '../engine/checkpoint.ts'
import { Packer } from '../engine/packer.ts'
import { formatName, jsonFile, type PackItem, packItems, sideFiles, towerItems, type Wishes } from '../engine/packing.ts'
import { asGlmError, GlmError, throwIfAborted } from '../errors.ts'
import { type Gpu, openGpu } from '../gpu/device.ts'
import { catalog } from '../model/catalog.ts'
import { manifestFile, type PackedManifest, packedSettings } from '../weights/packed.ts'
import { type PackedPlan, type PlacedPart, planPacked, type Shard, type ShardOptions } from '../weights/shards.ts'
import { exists, readWhole, type Source } from '../weights/source.ts'
import type { Call } from './arguments.ts'
import { findGpu } from './gpu.ts'
import { formats, type Setting, sourceOf } from './model.ts'
import { size } from './terminal.ts'

export async function pack({ model, out, values }: Call<'pack'>, setting: Setting): Promise<number> {
  const { terminal, signal } = setting
  const source = await sourceOf(model!, setting, { hub: values.hub })
  const began = performance.now()
  const gpu = await openGpu(await findGpu())
  try {
    const lost = gpu.lost.then((error) => Promise.reject(error))
    lost.catch(() => {})
    const known = catalog.find(({ id, repository }) => id === model || (repository !== undefined && source.name.includes(repository)))
    const made = await Promise.race([
      packFolder({
        gpu,
        source,
        folder: out!,
        input: model!,
        force: values.force === true,
        wishes: wishesOf(values),
        ...(known ? { licence: known.licence } : {}),
        onTensors: (line) => terminal.log(line),
        onProgress: (loaded, total) => terminal.progress({ phase: 'upload', loaded, total }),
        signal,
      }),
      lost,
    ])
    const { bytes, shards, worst } = made
    const seconds = (performance.now() - began) / 1000
    const cost = worst ? `; the largest error is ${percent(worst.error)}, of ${worst.tensor}` : ''
    terminal.log(
      `Packed ${source.name} into ${out}: ${size(bytes)} in ${shards} ${shards === 1 ? 'file' : 'files'}, ${seconds.toFixed(1)} s${cost}.`,
    )
    if (values.json) terminal.print(`${JSON.stringify({ ...made, seconds })}\n`)
    return 0
  } finally {
    gpu.close()
  }
}

const wishesOf = ({ weights, group, head, embedding }: Call<'pack'>['values']): Wishes => ({
  weights: weights as Wishes['weights'],
  group: group === undefined ? undefined : (Number(group) as Wishes['group']),
  head: head as Wishes['head'],
  embedding: embedding as Wishes['embedding'],
})

export interface PackOptions extends ShardOptions {
  gpu: Gpu
  source: Source
  folder: string
  /** The model as it was named: nothing is written over it. */
  input?: string
  force?: boolean
  wishes?: Wishes
  licence?: string
  /** A line for each layer, and for what stands beside them. */
  onTensors?: (line: string) => void
  /** Bytes written so far. */
  onProgress?: (done: number, total: number) => void
  signal?: AbortSignal
  sliceValues?: number
}

export interface Packed {
  bytes: number
  shards: number
  tensors: number
  worst?: { tensor: string; error: number }
}

export async function packFolder(options: PackOptions): Promise<Packed> {
  const { source, folder, signal, wishes = {} } = options
  const files = await readModel(source, { formats, signal })
  const tower = towerItems(files)
  if (files.sees && tower.length === 0)
    options.onTensors?.('Its tower is left out, since that of a GGUF is in codes of its own: packed, the model reads text only.')
  const items = [...packItems(files.config, files.checkpoint, wishes), ...tower]
  const plan = planPacked(
    items.map(({ name, packed }) => [name, packed]),
    options,
  )
  const beside = await sideFiles(source, files, signal, tower.length > 0)
  const licence = options.licence ?? (await licenceOf(source, signal))
  makeRoom(options)
  const written: string[] = []
  const place = (path: string) => {
    written.push(join(folder, path))
    return join(folder, path)
  }
  try {
    await writeShards(options, files, items, plan, place)
    const shards = []
    for (const { file, bytes } of plan.shards) shards.push({ file, bytes, sha256: await hashOf(join(folder, file), signal) })
    const manifest: PackedManifest = {
      version: packedSettings.version,
      source: await originOf(source, files),
      ...(licence === undefined ? {} : { licence }),
      shards,
      tensors: Object.fromEntries(items.map(({ name, packed }) => [name, packed])),
    }
    if (plan.index) beside.push(jsonFile('model.safetensors.index.json', plan.index))
    for (const { path, bytes } of beside) onDisk(folder, () => writeFileSync(place(path), bytes))
    onDisk(folder, () => {
      writeFileSync(place(`${manifestFile}.part`), jsonFile(manifestFile, manifest).bytes)
      renameSync(join(folder, `${manifestFile}.part`), join(folder, manifestFile))
    })
    return { bytes: plan.bytes, shards: plan.shards.length, tensors: items.length, ...worstOf(items) }
  } catch (error) {
    for (const path of written) rmSync(path, { force: true })
    throw error
  }
}

/** What an earlier run left goes first: half of the old and half of the new would look whole. */
function makeRoom({ folder, input, force }: PackOptions): void {
  onDisk(folder, () => mkdirSync(folder, { recursive: true }))
  const full = realpathSync(folder)
  const same = (path: string) => {
    try {
      return realpathSync(resolve(path)) === full
    } catch {
      return false // a name, not a path
    }
  }
  if (input !== undefined && same(/\.gguf$/i.test(input) ? dirname(input) : input))
    throw new GlmError('request_invalid', `${folder} is where the model lies; choose another folder.`)
  const found = onDisk(folder, () => readdirSync(folder))
  if (found.length > 0 && !force) throw new GlmError('request_invalid', `${folder} is not empty; choose another folder, or give --force.`)
  const old = found.filter(
    (name) => name === 'config.json' || name.startsWith(manifestFile) || /^model.*\.safetensors(\.index\.json)?$/.test(name),
  )
  for (const name of old.sort((a) => (a === manifestFile ? -1 : 1))) onDisk(folder, () => rmSync(join(folder, name), { force: true }))
}

async function writeShards(
  { gpu, source, signal, sliceValues, onTensors, onProgress }: PackOptions,
  { checkpoint }: ModelFiles,
  items: PackItem[],
  plan: PackedPlan,
  place: (path: string) => string,
): Promise<void> {
  const disk = new ShardFiles(plan, place, onProgress)
  const packer = new Packer({
    gpu,
    items,
    source,
    checkpoint,
    ...(signal ? { signal } : {}),
    ...(sliceValues === undefined ? {} : { sliceValues }),
    write: (tensor, part, row, bytes) => disk.write(tensor, part, row, bytes),
  })
  let group: PackItem[] = []
  const tell = () => {
    if (group.length > 0) onTensors?.(lineOf(group))
    group = []
  }
  try {
    await disk.open()
    for (const item of items) {
      throwIfAborted(signal)
      const first = group[0]
      if (first && groupOf(first) !== groupOf(item)) tell()
      const error = await packer.pack(item)
      if (error !== undefined) item.packed.error = error
      group.push(item)
    }
    tell()
  } finally {
    await disk.close()
  }
}

/** Shards on disk, written at any place. */
class ShardFiles {
  readonly #shards: readonly Shard[]
  readonly #place: (path: string) => string
  readonly #onProgress: PackOptions['onProgress']
  readonly #handles: FileHandle[] = []
  readonly #parts = new Map<string, { shard: number; part: PlacedPart }[]>()
  readonly #total: number
  #done = 0

  constructor({ shards, bytes }: PackedPlan, place: (path: string) => string, onProgress: PackOptions['onProgress']) {
    this.#shards = shards
    this.#place = place
    this.#onProgress = onProgress
    this.#total = bytes
    shards.forEach(({ parts }, shard) => {
      for (const part of parts) {
        const key = `${part.part} ${part.tensor}`
        this.#parts.set(key, [...(this.#parts.get(key) ?? []), { shard, part }])
      }
    })
  }

  async open(): Promise<void> {
    for (const { file, header, bytes } of this.#shards) {
      const handle = await written(file, () => open(this.#place(file), 'w'))
      this.#handles.push(handle)
      await written(file, () => handle.truncate(bytes))
      await this.#put(handle, file, header, 0)
    }
  }

  /** Whole rows from `row` on, in every stretch that they are in. */
  async write(tensor: string, part: PlacedPart['part'], row: number, bytes: Uint8Array): Promise<void> {
    for (const { shard, part: own } of this.#parts.get(`${part} ${tensor}`) ?? []) {
      const width = (own.end - own.start) / own.rows
      const from = Math.max(row, own.row)
      const to = Math.min(row + bytes.length / width, own.row + own.rows)
      if (from >= to) continue
      const piece = bytes.subarray((from - row) * width, (to - row) * width)
      await this.#put(this.#handles[shard]!, this.#shards[shard]!.file, piece, own.start + (from - own.row) * width)
    }
    this.#done += bytes.length
    this.#onProgress?.(this.#done, this.#total)
  }

  async #put(handle: FileHandle, file: string, bytes: Uint8Array, at: number): Promise<void> {
    for (let done = 0; done < bytes.length; ) {
      const { bytesWritten } = await written(file, () => handle.write(bytes, done, bytes.length - done, at + done))
      done += bytesWritten
    }
  }

  async close(): Promise<void> {
    for (const handle of this.#handles) await handle.close()
  }
}

async function hashOf(path: string, signal?: AbortSignal): Promise<string> {
  const hash = createHash('sha256')
  for await (const bytes of createReadStream(path, { highWaterMark: 2 ** 20 })) {
    throwIfAborted(signal)
    hash.update(bytes as Uint8Array)
  }
  return hash.digest('hex')
}

/** The hash is that of the one file of weights, where it is one and its hash is published. */
async function originOf(source: Source, { checkpoint }: ModelFiles): Promise<PackedManifest['source']> {
  const weights = new Set([...checkpoint.tensors.values()].map(({ file }) => file))
  const sha256 = weights.size === 1 ? source.sha256?.([...weights][0]!) : undefined
  return { name: source.name, ...(source.revision ? { revision: source.revision } : {}), ...(sha256 ? { sha256 } : {}) }
}

/** As the model's card says. */
async function licenceOf(source: Source, signal?: AbortSignal): Promise<string | undefined> {
  if (!(await exists(source, 'README.md', signal).catch(() => false))) return undefined
  const text = new TextDecoder().decode((await readWhole(source, 'README.md', signal)).subarray(0, 2 ** 16))
  const [, front = ''] = /^---\r?\n(.*?)\r?\n---/s.exec(text) ?? []
  const field = (name: string) => new RegExp(`^${name}:[ \\t]*['"]?([^'"\\r\\n]{1,80})`, 'm').exec(front)?.[1]?.trim()
  const licence = field('license')
  return licence === 'other' ? (field('license_name') ?? licence) : licence
}

const groupOf = ({ name, vector, copied }: PackItem): string =>
  vector ? 'norms and biases' : copied ? 'tower, as it is' : (/^model\.layers\.\d+/.exec(name)?.[0] ?? name)

function lineOf(group: readonly PackItem[]): string {
  const kinds = [...new Set(group.map(({ packed }) => formatName(packed)))].join(', ')
  const { worst } = worstOf(group)
  return `${groupOf(group[0]!)}: ${kinds}${worst && worst.error > 0 ? `, error ${percent(worst.error)}` : ''}`
}

function worstOf(items: readonly PackItem[]): Pick<Packed, 'worst'> {
  const known = items.flatMap(({ name, packed: { error } }) => (error === undefined ? [] : [{ tensor: name, error }]))
  return known.length === 0 ? {} : { worst: known.reduce((one, other) => (other.error > one.error ? other : one)) }
}

const percent = (error: number) => `${(error * 100).toFixed(2)} %`

function onDisk<T>(folder: string, call: () => T): T {
  try {
    return call()
  } catch (cause) {
    throw unwritable(folder, cause)
  }
}

async function written<T>(path: string, call: () => Promise<T>): Promise<T> {
  try {
    return await call()
  } catch (cause) {
    throw unwritable(path, cause)
  }
}

const unwritable = (path: string, cause: unknown) =>
  new GlmError('request_invalid', `${path} cannot be written (${(cause as NodeJS.ErrnoException).code ?? asGlmError(cause).message}).`, {
    cause,
  })
