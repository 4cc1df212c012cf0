// From a source to a live timeline: not more pictures a second than asked for, and never more of them open than agreed.
import { asGlmError } from '../errors.ts'
import type { CaptureKind } from './capture_ask.ts'
import { frames } from './capture_frames.ts'
import { atOnce, type Settling, settling } from './capture_settle.ts'
import { type Sound, sound } from './capture_sound.ts'
import { deferred, type Platform, type Source } from './capture_source.ts'
import { fault } from './faults.ts'
import type { LiveTimeline, LiveTrackOptions } from './live.ts'

export interface FeedOptions {
  /** Pictures a second at most; the others are closed at once. Default 5. */
  fps?: number
  /** Pictures that may be open at once, or blocks of sound that may wait; the oldest go first. Default 1.4 s of pictures and one (8 at 5 a second), 256 blocks. */
  maxQueue?: number
}

/** What runs from a capture to a timeline. */
export interface Feed {
  /** It has ended, with the device or by `close`; rejects where the timeline refused (`E_OVERFLOW`), or a callback of it threw. */
  readonly done: Promise<void>
  /** Ends it and closes the frames that are still open; the device stays on. */
  close(): void
}

const tracks: Record<CaptureKind, LiveTrackOptions> = {
  camera: { kind: 'video', policy: 'nearest' },
  screen: { kind: 'video', policy: 'nearest' },
  microphone: { kind: 'audio', policy: 'window' },
}

/** Seconds of pictures that a timeline may hold: until it waits no more for a track that is silent, its lateness, a cell. */
const WAIT = 1.4

export class Pushing implements Feed {
  readonly done: Promise<void>
  readonly #live: LiveTimeline
  readonly #id: string
  readonly #kind: CaptureKind
  readonly #settle: Settling
  readonly #due: (media: number) => boolean
  readonly #most: number
  readonly #gone: () => void
  readonly #end = deferred()
  #open: VideoFrame[] = []
  #source: Source | undefined
  #over = false

  /** `gone` is called when it is closed. */
  constructor(live: LiveTimeline, id: string, kind: CaptureKind, options: FeedOptions, gone: () => void) {
    const { fps = 5 } = options
    if (!(fps > 0 && fps < Infinity)) throw fault('E_RANGE', id, 'fps must be a number above 0.')
    const { maxQueue = kind === 'microphone' ? 256 : 1 + Math.ceil(fps * WAIT) } = options
    if (!Number.isInteger(maxQueue) || maxQueue < 1) throw fault('E_RANGE', id, 'maxQueue must be a whole number above 0.')
    if (!Object.hasOwn(live.report.tracks, id)) live.track(id, { ...tracks[kind], limit: maxQueue })
    this.#live = live
    this.#id = id
    this.#kind = kind
    this.#settle = kind === 'screen' ? atOnce : settling()
    this.#due = atMost(fps)
    this.#most = maxQueue
    this.#gone = gone
    this.done = this.#end.promise
  }

  async start(stream: MediaStream, platform: Platform): Promise<void> {
    try {
      this.#source = await this.#begin(stream, platform)
    } catch (error) {
      this.#gone()
      throw asGlmError(error)
    }
    if (this.#over) this.#source.close()
    this.#source.done.then(this.#end.resolve, (error) => {
      this.close()
      this.#end.reject(asGlmError(error))
    })
  }

  /** No more is pushed; what has been stays open. */
  stop(): void {
    this.#over = true
    this.#source?.close()
  }

  close(): void {
    this.stop()
    for (const frame of this.#open) frame.close()
    this.#open = []
    this.#gone()
  }

  #begin(stream: MediaStream, platform: Platform): Source | Promise<Source> {
    if (this.#kind === 'microphone') return sound(stream, (media, received, block) => this.#hear(media, received, block), platform)
    const wants = (media: number, received: number) => this.#settle.settled(media, received) && this.#due(media)
    return frames(stream, wants, (media, received, frame) => this.#show(media, received, frame), platform)
  }

  #push(media: number, received: number, value: VideoFrame | Sound): boolean {
    if (this.#over) return false
    return this.#live.push(this.#id, media, value, this.#settle.received(media, received)) !== undefined
  }

  #hear(media: number, received: number, block: Sound): void {
    if (this.#settle.settled(media, received)) this.#push(media, received, block)
  }

  /** The timeline gives frames back when they leave it; should nobody close them then, they are closed here, oldest first. */
  #show(media: number, received: number, frame: VideoFrame): void {
    this.#open.push(frame)
    if (!this.#push(media, received, frame)) frame.close()
    this.#open = this.#open.filter(({ codedWidth }) => codedWidth > 0) // 0 once closed
    while (this.#open.length > this.#most) this.#open.shift()!.close()
  }
}

/** Yes to so many times a second, by the times themselves: even where they jitter, and anew where their clock begins anew. */
function atMost(fps: number): (media: number) => boolean {
  const period = 1e6 / fps
  let due = -Infinity
  return (media) => {
    const early = due - media
    if (early > period / 10 && early < 2 * period) return false
    due = Math.abs(early) < period ? due + period : media + period
    return true
  }
}
