// Plays the decoder's recordings: prefill in chunks, decode in bursts of tokens that feed themselves. Nothing is created per token but the encoder.

import type { KvFormat } from '../api/types.ts'
import { GlmError } from '../errors.ts'
import { type Buffers, readBack } from '../gpu/buffers.ts'
import type { Gpu } from '../gpu/device.ts'
import { play, type Recording } from '../gpu/recorder.ts'
import { type RowsShape, rowsLayout } from '../kernels/rows.ts'
import type { Config } from '../model/config.ts'
import type { Decoder } from '../model/decoder.ts'
import { type Row, Rows } from '../model/rows.ts'
import { type Drawn, type Ending, endingOf, type Logprobs, readLogprobs, Sampler } from '../model/sampler.ts'
import type { Seen } from '../model/seen.ts'
import { pageBytes } from '../model/sizes.ts'
import type { Pacer } from './pacer.ts'

export interface RunnerOptions {
  gpu: Gpu
  buffers: Buffers
  decoder: Decoder
  config: Config
  shape: RowsShape
  kv: KvFormat
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

/** What a submit gave back: the rings of tokens, and of log-probabilities where they were wanted. */
export class Reading {
  readonly #words: Uint32Array<ArrayBuffer>
  readonly #shape: RowsShape

  constructor(words: Uint32Array<ArrayBuffer>, shape: RowsShape) {
    this.#words = words
    this.#shape = shape
  }

  token(slot: number, draw: number): number {
    return this.#words[slot * this.#shape.ring + (draw % this.#shape.ring)]!
  }

  logprobs(slot: number, draw: number, count: number): Logprobs {
    const { slots, ring } = this.#shape
    return readLogprobs(this.#words.subarray(slots * ring), slot * ring + (draw % ring), count)
  }
}

export class Runner {
  readonly counts: RunnerCounts = { submits: 0, dispatches: 0, prefilled: 0, recordings: 0, maps: 0 }
  readonly prefillRows: Rows
  readonly decodeRows: Rows
  readonly prefillSampler: Sampler
  readonly decodeSampler: Sampler
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
    const sampler = (rows: Rows, slots: number) =>
      new Sampler({ gpu, buffers, vocabulary: config.vocabulary, logits: options.decoder.logits, rows, slots })
    this.prefillSampler = sampler(this.prefillRows, 1)
    this.decodeSampler = sampler(this.decodeRows, shape.slots)
    const bytes = shape.slots * shape.ring * 4 + this.decodeSampler.recordBytes
    this.#staging = Array.from({ length: stagingBuffers }, () => buffers.make('sampled tokens', bytes, 'readable'))
  }

  get decoder(): Decoder {
    return this.#options.decoder
  }

  /** Compiles and records what every chat needs, so that the first token does not wait for it. */
  async warm(): Promise<void> {
    const { shape, pacer } = this.#options
    const { device, info } = this.#options.gpu
    const prompt = capacityFor(pacer.rows, shape.rows)
    const recordings = [this.recording(this.decodeRows, 1, 1), ...[0, 1].map((logits) => this.recording(this.prefillRows, prompt, logits))]
    const all = (await Promise.all(recordings)).flat()
    if (!info.software) return
    // lavapipe compiles when a pipeline first runs: here over no rows, so that neither the first token nor the pacer's clock waits for it.
    const seen = new Set<GPUComputePipeline>()
    for (const dispatch of all) {
      if (seen.has(dispatch.pipeline)) continue
      seen.add(dispatch.pipeline)
      const encoder = device.createCommandEncoder()
      const pass = encoder.beginComputePass()
      play(pass, [dispatch])
      pass.end()
      device.queue.submit([encoder.finish()])
      await device.queue.onSubmittedWorkDone()
    }
  }

  /** Records anew, with the kernel variants now in use; pipelines that are no longer used are let go. */
  async renew(): Promise<void> {
    this.#options.decoder.forget()
    this.#recordings.clear()
    await this.warm()
  }

  recording(rows: Rows, capacity: number, logits: number, sampled = logits > 0, far = false, full = false): Promise<Recording> {
    const kind = rows === this.prefillRows ? 'prefill' : far ? 'decode far' : 'decode'
    const key = `${kind} ${capacity} ${logits} ${sampled} ${full}`
    let found = this.#recordings.get(key)
    if (!found) {
      const sampling = sampled ? this.#samplerOf(rows).steps(logits, full) : []
      found = this.#options.decoder.record(rows, capacity, logits, sampling, kind)
      this.#recordings.set(key, found)
      found.then(
        () => this.counts.recordings++,
        () => this.#recordings.delete(key),
      )
    }
    return found
  }

  #samplerOf(rows: Rows): Sampler {
    return rows === this.prefillRows ? this.prefillSampler : this.decodeSampler
  }

  /** Runs prompt rows of one sequence; with `drawn`, gives the next token. Slot 0 of the prefill rows is its slot. */
  async prefill(
    tokens: readonly number[],
    start: number,
    pages: readonly number[],
    drawn?: Drawn,
    seen?: Seen,
  ): Promise<Reading | undefined> {
    const rows = this.#rowsOf(tokens, start, seen)
    const { prefillRows } = this
    prefillRows.writePages(0, pages)
    if (drawn) this.prefillSampler.write(0, drawn)
    prefillRows.write(rows, drawn ? [rows.length - 1] : [])
    const ending = drawn ? endingOf([{ ...drawn, masked: !!drawn.mask }]) : 'plain'
    const capacity = capacityFor(rows.length, this.#options.shape.rows)
    const recording = await this.recording(prefillRows, capacity, drawn ? 1 : 0, !!drawn, false, ending !== 'plain')
    this.counts.prefilled += rows.length
    const { pacer, gpu } = this.#options
    const began = pacer.now()
    const read = drawn ? this.#submit(recording, 1, prefillRows, ending) : this.#submit(recording, 1)
    await (read ?? gpu.device.queue.onSubmittedWorkDone())
    pacer.prefilled(rows.length, pacer.now() - began)
    return read
  }

  /** A stretch of one prompt. */
  #rowsOf(tokens: readonly number[], start: number, seen?: Seen): Row[] {
    const rows = tokens.map((token, index): Row => ({ token, position: start + index, slot: 0 }))
    if (seen) {
      this.decoder.show(seen, rows)
      this.counts.submits++
    }
    return rows
  }

  /** The recording of a pass over the decode rows, `far` where one of them is past the first stretch of attention. */
  ready(rows: number, far: boolean, ending: Ending): Promise<Recording> {
    const capacity = capacityFor(rows, this.#options.shape.slots, true)
    return this.recording(this.decodeRows, capacity, capacity, true, far, ending !== 'plain')
  }

  /** Runs `tokens` passes over the decode rows. */
  async decode(rows: number, tokens: number, far: boolean, ending: Ending): Promise<Reading> {
    return this.#submit(await this.ready(rows, far, ending), tokens, this.decodeRows, ending)!
  }

  /** Logits of every row of a chunk, [rows, vocabulary]: for `score`, and with the decode rows for tests of what decodes. */
  async logits(
    tokens: readonly number[],
    start: number,
    pages: readonly number[],
    rows = this.prefillRows,
    far = false,
    seen?: Seen,
  ): Promise<Float32Array> {
    const { shape, decoder, gpu, config } = this.#options
    rows.writePages(0, pages)
    rows.write(
      this.#rowsOf(tokens, start, seen),
      tokens.map((_, index) => index),
    )
    const decode = rows === this.decodeRows
    const capacity = capacityFor(tokens.length, shape.logits, decode)
    const recording = await this.recording(rows, capacity, decode ? capacity : shape.logits, false, far)
    this.#submit(recording, 1)
    return new Float32Array(await readBack(gpu.device, decoder.logits, 0, tokens.length * config.vocabulary * 4))
  }

  /** Copies a page of every layer. */
  copyPage(from: number, to: number): void {
    const { gpu, decoder } = this.#options
    const encoder = gpu.device.createCommandEncoder()
    // WebGPU copies only between two buffers, so a page goes by way of another.
    for (const buffer of decoder.kv) {
      for (const { offset, bytes } of decoder.pageStretches) {
        encoder.copyBufferToBuffer(buffer, offset + from * bytes, this.#page, 0, bytes)
        encoder.copyBufferToBuffer(this.#page, 0, buffer, offset + to * bytes, bytes)
      }
    }
    gpu.device.queue.submit([encoder.finish()])
    this.counts.submits++
  }

  /** `times` passes of a recording, in as many submits as the pacer asks for; then, with `rows`, what was sampled. */
  #submit(recording: Recording, times: number, rows: Rows, ending: Ending): Promise<Reading>
  #submit(recording: Recording, times: number): undefined
  #submit(recording: Recording, times: number, rows?: Rows, ending?: Ending): Promise<Reading> | undefined {
    const { gpu, pacer, shape } = this.#options
    const slices = pacer.slices
    const staging = rows && this.#staging.pop()
    if (rows && !staging)
      throw new GlmError('internal', 'More bursts are in flight than there are buffers to read them; please report this.')
    const records = rows && ending === 'logprobs' ? this.#samplerOf(rows) : undefined
    const tokenBytes = shape.slots * shape.ring * 4
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
      if (rows && staging && submit === submits - 1) {
        encoder.copyBufferToBuffer(rows.buffer, rows.layout.ring * 4, staging, 0, tokenBytes)
        if (records) encoder.copyBufferToBuffer(records.records, 0, staging, tokenBytes, records.recordBytes)
      }
      gpu.device.queue.submit([encoder.finish()])
      this.counts.submits++
      this.counts.dispatches += to - from
    }
    return rows && staging && this.#read(staging, tokenBytes + (records?.recordBytes ?? 0))
  }

  async #read(staging: GPUBuffer, bytes: number): Promise<Reading> {
    this.counts.maps++
    await staging.mapAsync(GPUMapMode.READ, 0, bytes)
    const copy = new Uint32Array(staging.getMappedRange(0, bytes).slice(0))
    staging.unmap()
    this.#staging.push(staging)
    return new Reading(copy, this.#options.shape)
  }
}

/** Few capacities, so that few recordings serve every number of rows: 1, then powers of two from 4 or 8. */
export function capacityFor(rows: number, most: number, decode = false): number {
  if (rows === 1) return 1
  const least = decode ? 4 : 8
  return Math.min(most, Math.max(least, 2 ** Math.ceil(Math.log2(rows))))
}
