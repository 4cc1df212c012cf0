// Plays the decoder's recordings: prefill in chunks, decode in bursts of tokens that feed themselves. Nothing is created per token but the encoder.
import { GlmError } from '../errors.ts'
import { type Buffers, readBack } from '../gpu/buffers.ts'
import type { Gpu } from '../gpu/device.ts'
import { play, type Recording } from '../gpu/recorder.ts'
import { type RowsShape, rowsLayout } from '../kernels/rows.ts'
import type { Config } from '../model/config.ts'
import { type Decoder, pageBytes } from '../model/decoder.ts'
import { type Row, Rows, type SamplingSettings } from '../model/rows.ts'
import type { Pacer } from './pacer.ts'

export interface RunnerOptions {
  gpu: Gpu
  buffers: Buffers
  decoder: Decoder
  config: Config
  shape: RowsShape
  kv: 'f32' | 'f16'
  pacer: Pacer
}

/** What was done so far; tests count it. */
export interface RunnerCounts {
  submits: number
  dispatches: number
  prefilled: number
  recordings: number
  maps: number
}

/** Read-back buffers in rotation: one more than bursts in flight. */
const stagingBuffers = 3

export class Runner {
  readonly counts: RunnerCounts = { submits: 0, dispatches: 0, prefilled: 0, recordings: 0, maps: 0 }
  readonly prefillRows: Rows
  readonly decodeRows: Rows
  readonly #options: RunnerOptions
  readonly #staging: GPUBuffer[]
  readonly #page: GPUBuffer
  readonly #recordings = new Map<string, Promise<Recording>>()

  constructor(options: RunnerOptions) {
    this.#options = options
    const { buffers, gpu, shape, config, kv } = options
    this.#page = buffers.make('page', pageBytes(config, kv))
    const rows = (label: string) => new Rows(shape, buffers.make(label, rowsLayout(shape).words * 4), gpu.device.queue)
    this.prefillRows = rows('prefill rows')
    this.decodeRows = rows('decode rows')
    this.#staging = Array.from({ length: stagingBuffers }, () => buffers.make('sampled tokens', shape.slots * shape.ring * 4, 'readable'))
  }

  /** Compiles and records what every chat needs, so that the first token does not wait for it. */
  async warm(): Promise<void> {
    const { shape, pacer } = this.#options
    await this.recording(this.decodeRows, 1, 1)
    for (const logits of [0, 1]) await this.recording(this.prefillRows, capacityFor(pacer.rows, shape.rows), logits)
  }

  recording(rows: Rows, capacity: number, logits: number, sampled = logits > 0): Promise<Recording> {
    const key = `${rows === this.decodeRows} ${capacity} ${logits} ${sampled}`
    let found = this.#recordings.get(key)
    if (!found) {
      found = this.#options.decoder.record(rows, capacity, logits, sampled)
      this.#recordings.set(key, found)
      found.then(
        () => this.counts.recordings++,
        () => this.#recordings.delete(key),
      )
    }
    return found
  }

  /** Runs prompt rows of one sequence; with `settings`, gives the first token. Slot 0 of the prefill rows is its slot. */
  async prefill(
    tokens: readonly number[],
    start: number,
    pages: readonly number[],
    settings?: SamplingSettings,
    draw = 0,
  ): Promise<number | undefined> {
    const rows = tokens.map((token, index): Row => ({ token, position: start + index, slot: 0 }))
    const { prefillRows } = this
    prefillRows.writePages(0, pages)
    if (settings) prefillRows.writeSlot(0, settings, draw)
    prefillRows.write(rows, settings ? [rows.length - 1] : [])
    const recording = await this.recording(prefillRows, capacityFor(rows.length, this.#options.shape.rows), settings ? 1 : 0)
    this.counts.prefilled += rows.length
    const { pacer, gpu } = this.#options
    const began = pacer.now()
    const read = settings ? this.#submit(recording, 1, prefillRows) : this.#submit(recording, 1)
    await (read ?? gpu.device.queue.onSubmittedWorkDone())
    pacer.prefilled(rows.length, pacer.now() - began)
    return read ? (await read)[draw % this.#options.shape.ring] : undefined
  }

  /** Runs `tokens` passes over the decode rows; gives the ring of sampled tokens, [slots, ring]. */
  async decode(rows: number, tokens: number): Promise<Uint32Array> {
    const capacity = capacityFor(rows, this.#options.shape.slots, true)
    const recording = await this.recording(this.decodeRows, capacity, capacity)
    return this.#submit(recording, tokens, this.decodeRows)!
  }

  /** Logits of every row of a chunk, [rows, vocabulary]: for `score`. */
  async logits(tokens: readonly number[], start: number, pages: readonly number[]): Promise<Float32Array> {
    const { shape, decoder, gpu, config } = this.#options
    this.prefillRows.writePages(0, pages)
    this.prefillRows.write(
      tokens.map((token, index) => ({ token, position: start + index, slot: 0 })),
      tokens.map((_, index) => index),
    )
    const recording = await this.recording(this.prefillRows, capacityFor(tokens.length, shape.logits), shape.logits, false)
    this.#submit(recording, 1)
    return new Float32Array(await readBack(gpu.device, decoder.logits, 0, tokens.length * config.vocabulary * 4))
  }

  /** Copies a page of every layer. */
  copyPage(from: number, to: number): void {
    const { gpu, decoder, config, kv } = this.#options
    const bytes = pageBytes(config, kv)
    const encoder = gpu.device.createCommandEncoder()
    // WebGPU copies only between two buffers, so a page goes by way of another.
    for (const buffer of decoder.kv) {
      encoder.copyBufferToBuffer(buffer, from * bytes, this.#page, 0, bytes)
      encoder.copyBufferToBuffer(this.#page, 0, buffer, to * bytes, bytes)
    }
    gpu.device.queue.submit([encoder.finish()])
    this.counts.submits++
  }

  /** `times` passes of a recording, in as many submits as the pacer asks for; then, with `rows`, what was sampled. */
  #submit(recording: Recording, times: number, rows: Rows): Promise<Uint32Array>
  #submit(recording: Recording, times: number): undefined
  #submit(recording: Recording, times: number, rows?: Rows): Promise<Uint32Array> | undefined {
    const { gpu, pacer, shape } = this.#options
    const slices = pacer.slices
    const staging = rows && this.#staging.pop()
    if (rows && !staging)
      throw new GlmError('internal', 'More bursts are in flight than there are buffers to read them; please report this.')
    // One stretch of `times` recordings end to end, cut into as many submits as there are slices in all.
    const submits = slices === 1 ? 1 : slices * times
    for (let submit = 0; submit < submits; submit++) {
      const encoder = gpu.device.createCommandEncoder()
      const pass = encoder.beginComputePass()
      const from = Math.floor((recording.length * times * submit) / submits)
      const to = Math.floor((recording.length * times * (submit + 1)) / submits)
      for (let index = from; index < to; ) {
        const start = index % recording.length
        const end = Math.min(recording.length, start + to - index)
        play(pass, recording, start, end)
        index += end - start
      }
      pass.end()
      if (rows && staging && submit === submits - 1)
        encoder.copyBufferToBuffer(rows.buffer, rows.layout.ring * 4, staging, 0, shape.slots * shape.ring * 4)
      gpu.device.queue.submit([encoder.finish()])
      this.counts.submits++
      this.counts.dispatches += to - from
    }
    return rows && staging && this.#read(staging, shape.slots * shape.ring)
  }

  async #read(staging: GPUBuffer, words: number): Promise<Uint32Array> {
    this.counts.maps++
    await staging.mapAsync(GPUMapMode.READ, 0, words * 4)
    const copy = new Uint32Array(staging.getMappedRange(0, words * 4).slice(0))
    staging.unmap()
    this.#staging.push(staging)
    return copy
  }
}

/** Few capacities, so that few recordings serve every number of rows: 1, then powers of two from 4 or 8. */
export function capacityFor(rows: number, most: number, decode = false): number {
  if (rows === 1) return 1
  const least = decode ? 4 : 8
  return Math.min(most, Math.max(least, 2 ** Math.ceil(Math.log2(rows))))
}
