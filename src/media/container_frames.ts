// Frames of a video on demand: asks that come together are answered by one pass forward, a few frames are kept, and every frame handed out is a copy of
// its own that the caller closes.
import { GlmError, throwIfAborted } from '../errors.ts'
import type { VideoSource } from './container.ts'
import { unreadable } from './container_error.ts'
import { framePixels } from './frame.ts'
import type { Pixels } from './pixels.ts'

interface Asked {
  take(frame: VideoFrame): unknown
  fail(error: unknown): void
}

/** A decoder stalls when too many of its frames stay open. */
const KEPT = 4

export class Frames {
  readonly #source: VideoSource
  readonly #count: number
  readonly #kept = new Map<number, VideoFrame>()
  #asked = new Map<number, Asked[]>()
  #pass: Promise<void> | undefined
  #closed = false

  constructor(source: VideoSource) {
    this.#source = source
    this.#count = source.native.length
  }

  /** A frame by its place in order of time. Close it when it is done with. */
  frame(index: number, signal?: AbortSignal): Promise<VideoFrame> {
    return this.#ask(index, (frame) => frame.clone(), signal)
  }

  /** The same as bytes, which need no closing. */
  pixels(index: number, signal?: AbortSignal): Promise<Pixels> {
    return this.#ask(index, copied, signal)
  }

  /** Frames in the order asked; what ascends is decoded once. Close each. */
  async *frames(indices: Iterable<number>, signal?: AbortSignal): AsyncGenerator<VideoFrame, void> {
    const list = Array.from(indices)
    for (const index of list) this.#check(index)
    let k = 0
    for await (const frame of this.#source.frames(list)) {
      if (signal?.aborted) frame?.close()
      throwIfAborted(signal)
      if (!frame) throw undecodable(list[k]!)
      k++
      yield frame
    }
  }

  close(): void {
    this.#closed = true
    for (const frame of this.#kept.values()) frame.close()
    this.#kept.clear()
  }

  async #ask<T>(index: number, make: (frame: VideoFrame) => T | Promise<T>, signal?: AbortSignal): Promise<T> {
    this.#check(index)
    throwIfAborted(signal)
    const kept = this.#kept.get(index)
    if (kept) return make(kept)
    return new Promise<T>((resolve, reject) => {
      const take = async (frame: VideoFrame) => {
        if (signal?.aborted) return reject(new GlmError('aborted', 'The call was aborted.', { cause: signal.reason }))
        const made = (async () => make(frame))()
        resolve(made)
        await made.catch(() => {})
      }
      this.#asked.set(index, [...(this.#asked.get(index) ?? []), { take, fail: reject }])
      this.#pass ??= Promise.resolve().then(() => this.#run())
    })
  }

  /** Until nothing is asked for any more: one decoder at a time, and a frame waits until all who want it have it. */
  async #run(): Promise<void> {
    while (this.#asked.size > 0) {
      const asked = this.#asked
      this.#asked = new Map()
      const indices = [...asked.keys()].sort((a, b) => a - b)
      await this.#decode(indices, asked).catch((error) => {
        for (const one of indices.flatMap((index) => asked.get(index) ?? [])) one.fail(this.#closed ? closed() : unreadable(error))
      })
    }
    this.#pass = undefined
  }

  async #decode(indices: number[], asked: Map<number, Asked[]>): Promise<void> {
    let k = 0
    for await (const frame of this.#source.frames(indices)) {
      const index = indices[k++]!
      for (const one of asked.get(index)!) {
        if (this.#closed) one.fail(closed())
        else if (frame) await one.take(frame)
        else one.fail(undecodable(index))
      }
      asked.delete(index)
      if (this.#closed) frame?.close()
      else if (frame) this.#keep(index, frame)
    }
  }

  #keep(index: number, frame: VideoFrame): void {
    this.#kept.get(index)?.close()
    this.#kept.set(index, frame)
    if (this.#kept.size <= KEPT) return
    const [oldest] = this.#kept.keys()
    this.#kept.get(oldest!)!.close()
    this.#kept.delete(oldest!)
  }

  #check(index: number): void {
    if (this.#closed) throw closed()
    if (!Number.isInteger(index) || index < 0 || index >= this.#count)
      throw new GlmError('request_invalid', `There is no frame ${index}; the video has ${this.#count}.`)
  }
}

/** A copy stays open while its bytes are read, whatever becomes of the frame that is kept. */
async function copied(frame: VideoFrame): Promise<Pixels> {
  const copy = frame.clone()
  try {
    return await framePixels(copy)
  } finally {
    copy.close()
  }
}

function closed(): GlmError {
  return new GlmError('closed', 'The file was closed; open it again.')
}

function undecodable(index: number): GlmError {
  return new GlmError('file_invalid', `Frame ${index} cannot be decoded; the file is damaged there.`)
}
