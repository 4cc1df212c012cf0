// Small pictures of a video lane: those that are on show are decoded, one pass forward for what is missing, and the longest unseen are let go.

/** Frames by index, in the order asked; each is the taker's to close. */
export type FrameReader = (indices: number[], signal: AbortSignal) => AsyncIterable<Shown>

export type Shown = CanvasImageSource & { close?(): void }

/** What a lane's drawing asks of its pictures. */
export interface Thumbs {
  /** Width over height. */
  readonly aspect: number
  get(index: number): CanvasImageSource | undefined
  /** These are on show now, instead of those asked for before; `arrived` is called for each that comes. */
  want(indices: number[], arrived: () => void): void
  /** Whole pictures, in the order asked. Close each. */
  readonly frames: FrameReader
  /** Nobody looks: what can be made again is let go. */
  rest(): void
  close(): void
}

/** Pixels of a small picture's height, enough for screens of two device pixels each. */
const HEIGHT = 128
const KEPT = 240
const PAUSE = 80 // ms: a lane that is being dragged asks for nothing

export class DecodedThumbs implements Thumbs {
  readonly aspect: number
  readonly frames: FrameReader
  readonly #kept = new Map<number, ImageBitmap>()
  /** Could not be decoded: not asked for again. */
  readonly #broken = new Set<number>()
  #job: { left: Set<number>; controller: AbortController; timer: ReturnType<typeof setTimeout> } | undefined
  #closed = false

  constructor(aspect: number, frames: FrameReader) {
    this.aspect = aspect
    this.frames = frames
  }

  get(index: number): ImageBitmap | undefined {
    const found = this.#kept.get(index)
    if (!found) return undefined
    this.#kept.delete(index) // last seen goes last
    this.#kept.set(index, found)
    return found
  }

  want(indices: number[], arrived: () => void): void {
    const missing = [...new Set(indices)].filter((index) => !this.#kept.has(index) && !this.#broken.has(index)).sort((a, b) => a - b)
    if (this.#closed || missing.every((index) => this.#job?.left.has(index))) return
    this.#stop()
    const controller = new AbortController()
    const job = { left: new Set(missing), controller, timer: setTimeout(() => void this.#run(missing, arrived), PAUSE) }
    this.#job = job
  }

  rest(): void {
    this.#stop()
    for (const picture of this.#kept.values()) picture.close()
    this.#kept.clear()
  }

  close(): void {
    this.#closed = true
    this.rest()
  }

  #stop(): void {
    clearTimeout(this.#job?.timer)
    this.#job?.controller.abort()
    this.#job = undefined
  }

  async #run(indices: number[], arrived: () => void): Promise<void> {
    const job = this.#job!
    let k = 0
    try {
      for await (const frame of this.frames(indices, job.controller.signal)) {
        const index = indices[k++]!
        const picture = small(frame, this.aspect)
        frame.close?.()
        if (this.#closed) return picture.close()
        this.#keep(index, picture)
        job.left.delete(index)
        arrived()
      }
    } catch {
      // A picture that cannot be decoded leaves its place empty; the plan does not need it.
      if (!job.controller.signal.aborted && k < indices.length) this.#broken.add(indices[k]!)
    }
    if (this.#job === job) this.#job = undefined
  }

  #keep(index: number, picture: ImageBitmap): void {
    this.#kept.get(index)?.close()
    this.#kept.set(index, picture)
    for (const [oldest, unseen] of this.#kept) {
      if (this.#kept.size <= KEPT) return
      unseen.close()
      this.#kept.delete(oldest)
    }
  }
}

export function small(picture: CanvasImageSource, aspect: number): ImageBitmap {
  const canvas = new OffscreenCanvas(Math.max(1, Math.round(HEIGHT * Math.min(4, aspect))), HEIGHT)
  canvas.getContext('2d')!.drawImage(picture, 0, 0, canvas.width, canvas.height)
  return canvas.transferToImageBitmap()
}

/** Pictures that stand in memory: a few that a person chose. */
export class PictureThumbs implements Thumbs {
  readonly aspect: number
  readonly #pictures: ImageBitmap[]

  constructor(pictures: ImageBitmap[]) {
    this.aspect = pictures[0]!.width / pictures[0]!.height
    this.#pictures = pictures
  }

  get(index: number): ImageBitmap | undefined {
    return this.#pictures[index]
  }

  want(): void {}

  rest(): void {}

  async *frames(indices: number[]): AsyncGenerator<Shown> {
    for (const index of indices) if (this.#pictures[index]) yield await createImageBitmap(this.#pictures[index])
  }

  close(): void {
    for (const picture of this.#pictures.splice(0)) picture.close()
  }
}
