// A vision tower on the GPU: patches of pictures and clips become embeddings, which stand in the text where the pictures do.
import { GlmError, throwIfAborted } from '../errors.ts'
import { type Buffers, guardMemory } from '../gpu/buffers.ts'
import type { Gpu } from '../gpu/device.ts'
import type { Pipelines } from '../gpu/pipeline.ts'
import { play } from '../gpu/recorder.ts'
import { seeTiles } from '../kernels/see_attention.ts'
import { type Batch, batchesOf, checkGrids, type Grid, patchesOf, tokensOf } from './vision_batches.ts'
import type { VisionConfig } from './vision_config.ts'
import type { VisionWeights } from './vision_layout.ts'
import { VisionPace } from './vision_pace.ts'
import { recordTower, type Stage } from './vision_record.ts'
import { grain, Room, type RoomSize, towerLimits, valuesOf, widestPatch } from './vision_room.ts'

export { type Grid, tokensOf } from './vision_batches.ts'
export { parseVision, seesOf, type VisionConfig } from './vision_config.ts'
export { loadVision, planVision, type VisionPlan, type VisionWeights } from './vision_layout.ts'

export interface VisionOptions {
  gpu: Gpu
  buffers: Buffers
  pipelines: Pipelines
  config: VisionConfig
  weights: VisionWeights
  /** What it may take at once, where the adapter's own limits are not the bound. */
  limits?: {
    /** Patches of a dispatch, a multiple of 64. */
    chunk?: number
    /** Patches that steps of one size are put together to. */
    batch?: number
  }
}

export interface EncodeOptions {
  signal?: AbortSignal | undefined
  /** Told behind every submit; of all patches. */
  onProgress?: ((progress: { loaded: number; total: number }) => void) | undefined
}

/** Embeddings of all pictures, one behind the other: f32 [tokens, text]. The buffer is the caller's to free, in the buffers the tower was opened with. */
export interface Embeddings {
  buffer: GPUBuffer
  tokens: number
}

export class VisionTower {
  readonly config: VisionConfig
  readonly #options: VisionOptions
  readonly #limits: { chunk: number; batch: number }
  readonly #pace: VisionPace
  #room: Room | undefined
  #stages: Stage[] = []
  #turn: Promise<unknown> = Promise.resolve()
  #closed = false

  static open(options: VisionOptions): VisionTower {
    return new VisionTower(options)
  }

  private constructor(options: VisionOptions) {
    const { software } = options.gpu.info
    this.config = options.config
    this.#options = options
    this.#limits = { ...towerLimits[software ? 'software' : 'hardware'], ...options.limits }
    this.#pace = new VisionPace(software)
  }

  get weights(): VisionWeights {
    return this.#options.weights
  }

  /** Patches that a picture, or a step of a clip, may have. */
  get most(): number {
    const { binding, buffer } = this.#options.gpu.limits
    const fit = Math.floor(Math.min(binding, buffer) / (widestPatch(this.config) * 4))
    return Math.floor(fit / this.#limits.chunk) * this.#limits.chunk
  }

  /**
   * `patches`: f32 [patches, 3 * temporal * patch²] with COPY_SRC, as src/media/prepare.ts leaves them, grid after grid. Calls take turns.
   * Throws `request_invalid`, `out_of_memory`, `aborted`, `closed`.
   */
  encode(patches: GPUBuffer, grids: readonly Grid[], options: EncodeOptions = {}): Promise<Embeddings> {
    const done = this.#turn.then(() => this.#encode(patches, grids, options))
    this.#turn = done.catch(() => {})
    return done
  }

  /** Frees what it worked in; weights stay with whoever loaded them. A call under way throws `closed`. */
  close(): void {
    this.#closed = true
    this.#leave()
  }

  async #encode(patches: GPUBuffer, grids: readonly Grid[], options: EncodeOptions): Promise<Embeddings> {
    const { buffers } = this.#options
    const { text, merge, ends } = this.config
    checkGrids(this.config, grids, patches.size, { patches: this.most, bytes: this.#options.gpu.limits.binding })
    this.#alive(options.signal)
    const batches = batchesOf(grids, Math.min(this.#limits.batch, this.most))
    const total = batches.reduce((sum, batch) => sum + patchesOf(batch), 0)
    const tokens = grids.reduce((sum, grid) => sum + tokensOf(this.config, grid), 0)
    await this.#settle(batches)
    const make = () => buffers.make('embeddings', tokens * text * 4)
    const embeddings = await this.#allocate(make, (buffer) => buffers.free(buffer))
    try {
      let [done, token] = [0, 0]
      for (const batch of batches) {
        this.#alive(options.signal)
        const progress = (share: number) => options.onProgress?.({ loaded: done + Math.round(share * patchesOf(batch)), total })
        await this.#see(patches, done, batch, { ...options, progress })
        this.#hand(batch, embeddings, token)
        done += patchesOf(batch)
        token += patchesOf(batch) / merge ** 2 + (ends ? 2 * batch.steps : 0)
      }
      return { buffer: embeddings, tokens }
    } catch (error) {
      buffers.free(embeddings)
      throw error
    }
  }

  /** Plays the tower over a batch, so much of it at once as the pace allows. */
  async #see(
    patches: GPUBuffer,
    from: number,
    batch: Batch,
    { signal, progress }: EncodeOptions & { progress: (share: number) => void },
  ): Promise<void> {
    const { device } = this.#options.gpu
    const width = valuesOf(this.config) * 4
    const tiles = seeTiles(batch.steps, batch.height * batch.width)
    this.#room!.write(device.queue, batch, tiles)
    let encoder = device.createCommandEncoder()
    encoder.copyBufferToBuffer(patches, from * width, this.#room!.patches, 0, patchesOf(batch) * width)
    let pass = encoder.beginComputePass()
    let [work, done] = [0, 0]
    const total = this.#work(batch)
    const submit = async () => {
      pass.end()
      const begin = performance.now()
      device.queue.submit([encoder.finish()])
      await device.queue.onSubmittedWorkDone()
      this.#pace.measured(work, performance.now() - begin)
      done += work
      work = 0
      progress(done / total)
      this.#alive(signal)
    }
    for (const run of this.#runs(batch, tiles, () => this.#pace.work - work)) {
      if (work > 0 && work + run.work > this.#pace.work) {
        await submit()
        encoder = device.createCommandEncoder()
        pass = encoder.beginComputePass()
      }
      play(pass, [run.dispatch])
      work += run.work
    }
    await submit()
  }

  /** Every dispatch of a batch, in order. `left`: the work that still fits the submit. */
  *#runs(batch: Batch, tiles: number, left: () => number) {
    const { heads, merge } = this.config
    const chunk = this.#room!.size.chunk
    const patches = patchesOf(batch)
    const tileWork = this.#tileWork(batch)
    for (const stage of this.#stages) {
      if (stage.name === 'attention') {
        for (let tile = 0; tile < tiles; ) {
          const fit = Math.max(grain, Math.floor(left() / tileWork / grain) * grain)
          const count = Math.min(fit, tiles - tile)
          yield { dispatch: { ...stage.places[tile / grain]!, groups: [heads, count, 1] as const }, work: count * tileWork }
          tile += count
        }
        continue
      }
      for (const [index, runs] of stage.chunks.entries()) {
        const count = Math.min(chunk, patches - index * chunk)
        if (count <= 0) break
        for (const run of runs) {
          const rows = run.tokens ? count / merge ** 2 : count
          const [x, y = 1] = run.groups(rows)
          yield { dispatch: { ...run.dispatch, groups: [x, y, 1] as const }, work: run.work(rows) }
        }
      }
    }
  }

  #work(batch: Batch): number {
    let sum = 0
    for (const { work } of this.#runs(batch, seeTiles(batch.steps, batch.height * batch.width), () => Infinity)) sum += work
    return sum
  }

  #tileWork({ height, width }: Batch): number {
    return 4 * 32 * height * width * this.config.hidden
  }

  /** What a batch became goes to the caller's buffer, between a picture's ends where it has them. */
  #hand({ steps, height, width }: Batch, embeddings: GPUBuffer, token: number): void {
    const { text, merge, ends } = this.config
    const { device } = this.#options.gpu
    const { aux, plan } = this.#options.weights
    const each = (height * width) / merge ** 2
    const row = text * 4
    const encoder = device.createCommandEncoder()
    if (!ends) encoder.copyBufferToBuffer(this.#room!.out, 0, embeddings, token * row, steps * each * row)
    for (let step = 0; ends && step < steps; step++) {
      const at = (token + step * (each + 2)) * row
      encoder.copyBufferToBuffer(aux, plan.vectors.at.begin! * 4, embeddings, at, row)
      encoder.copyBufferToBuffer(this.#room!.out, step * each * row, embeddings, at + row, each * row)
      encoder.copyBufferToBuffer(aux, plan.vectors.at.end! * 4, embeddings, at + (each + 1) * row, row)
    }
    device.queue.submit([encoder.finish()])
  }

  /** Room for the largest of these batches, and everything recorded over it. */
  async #settle(batches: readonly Batch[]): Promise<void> {
    const { gpu, buffers } = this.#options
    const { chunk } = this.#limits
    const most = (of: (batch: Batch) => number) => Math.max(...batches.map(of))
    const wanted: RoomSize = {
      chunk,
      rows: Math.ceil(most(patchesOf) / chunk) * chunk,
      tiles: most(({ steps, height, width }) => seeTiles(steps, height * width)),
      side: most(({ height, width }) => Math.max(height, width)),
    }
    if (this.#room?.holds(wanted)) return
    const before = this.#room?.size
    const size = before ? { chunk, ...larger(before, wanted) } : wanted
    this.#leave()
    try {
      const make = () => new Room(size, this.config, buffers)
      this.#room = await this.#allocate(make, (room) => room.close())
      this.#room.fill(gpu.device.queue)
      this.#stages = await recordTower(this.#options, this.#room)
      this.#alive(undefined)
    } catch (error) {
      this.#leave()
      throw error
    }
  }

  /** What the GPU gives, or says it has not. */
  async #allocate<T>(make: () => T, free: (made: T) => void): Promise<T> {
    const all: T[] = []
    try {
      await guardMemory(this.#options.gpu, () => all.push(make()))
      return all[0]!
    } catch (error) {
      all.forEach(free)
      if (!(error instanceof GlmError && error.code === 'out_of_memory')) throw error
      throw new GlmError(
        'out_of_memory',
        'The GPU has too little memory for pictures of this size; lower maxPixels, or give fewer frames.',
        {
          cause: error,
        },
      )
    }
  }

  #leave(): void {
    this.#room?.close()
    this.#room = undefined
    this.#stages = []
  }

  #alive(signal: AbortSignal | undefined): void {
    if (this.#closed) throw new GlmError('closed', 'The model was closed while it looked at a picture; load it again.')
    throwIfAborted(signal)
  }
}

const larger = (one: RoomSize, other: RoomSize) => ({
  rows: Math.max(one.rows, other.rows),
  tiles: Math.max(one.tiles, other.tiles),
  side: Math.max(one.side, other.side),
})
