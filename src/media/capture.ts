// Camera, microphone and screen as live tracks: asks for the device, holds its stream, and feeds a LiveTimeline with its own times until it ends.
import { GlmError } from '../errors.ts'
import { ask, type CaptureKind, type CaptureOptions } from './capture_ask.ts'
import { type Feed, type FeedOptions, Pushing } from './capture_feed.ts'
import { deferred, type Platform, page } from './capture_source.ts'
import type { LiveTimeline } from './live.ts'

export type { CaptureKind, CaptureOptions } from './capture_ask.ts'
export type { Feed, FeedOptions } from './capture_feed.ts'
export type { Sound } from './capture_sound.ts'

/** Asks for a camera. `GlmError` where there is none, it is refused or in use, or the page is not secure; its `cause` is the browser's own error. */
export function openCamera(options: CaptureOptions = {}): Promise<Capture> {
  return open('camera', options, page())
}

/** Asks for a microphone, one channel where it can; errors as for a camera. */
export function openMicrophone(options: CaptureOptions = {}): Promise<Capture> {
  return open('microphone', options, page())
}

/** Lets the user choose a screen, a window or a tab; to be called from a click. */
export function openScreen(options: CaptureOptions = {}): Promise<Capture> {
  return open('screen', options, page())
}

/** The same with a platform of the caller's: how tests come by a browser that lacks something. */
export async function open(kind: CaptureKind, options: CaptureOptions, platform: Platform): Promise<Capture> {
  const stream = await ask(kind, options, platform.devices)
  return new Capture(kind, stream, platform, options.signal)
}

export class Capture {
  readonly kind: CaptureKind
  /** One track of picture or sound: `srcObject` of a `<video>`. */
  readonly stream: MediaStream
  /** No more comes: the user stopped it, the device was taken away, or it was closed. */
  readonly ended: Promise<void>
  readonly #platform: Platform
  readonly #signal: AbortSignal | undefined
  readonly #feeds = new Set<Pushing>()
  readonly #abort = () => this.close()
  readonly #tell: () => void
  #over = false

  constructor(kind: CaptureKind, stream: MediaStream, platform: Platform, signal?: AbortSignal) {
    this.kind = kind
    this.stream = stream
    this.#platform = platform
    this.#signal = signal
    const { promise, resolve } = deferred()
    this.ended = promise
    this.#tell = resolve
    for (const track of stream.getTracks()) track.addEventListener('ended', () => this.#end(), { once: true })
    signal?.addEventListener('abort', this.#abort, { once: true })
  }

  /**
   * Pushes what comes to track `id` of `live`, which is declared here where there is none: a `VideoFrame` of its own memory for every picture (policy
   * `nearest`), a `Sound` for every block (`window`: a cell has all that start in it). Close frames in the timeline's `onRelease`; what is still open when
   * the feed closes is closed with it, so close the timeline first.
   */
  async feed(live: LiveTimeline, id: string, options: FeedOptions = {}): Promise<Feed> {
    this.#check()
    const feed: Pushing = new Pushing(live, id, this.kind, options, () => this.#feeds.delete(feed))
    this.#feeds.add(feed)
    await feed.start(this.stream, this.#platform)
    this.#check()
    return feed
  }

  /** Gives the device back, ends all feeds and closes every frame that is still open. */
  close(): void {
    for (const feed of [...this.#feeds]) feed.close()
    for (const track of this.stream.getTracks()) track.stop()
    this.#end()
  }

  /** Frames that have been pushed stay open: the timeline may still want them. */
  #end(): void {
    this.#over = true
    this.#signal?.removeEventListener('abort', this.#abort)
    for (const feed of this.#feeds) feed.stop()
    this.#tell()
  }

  #check(): void {
    if (this.#over) throw new GlmError('closed', `The ${this.kind} has ended; open it again.`)
  }
}
