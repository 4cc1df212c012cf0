// What capturing needs of the browser, and what a source is: something that hands over pictures or sound with two times until it is closed.

/** `media` is whole microseconds of the device's own clock, `received` ms of the page's (`performance.now()`). The value is the taker's to close. */
export type Take<T> = (media: number, received: number, value: T) => void

export interface Source {
  /** Nothing more comes; rejects where reading or taking failed. */
  done: Promise<void>
  close(): void
}

/** Of mediacapture-transform: on pages in Chromium (both kinds); in Safari in workers only, and for pictures only by the standard. */
export type TrackProcessor = new (init: {
  track: MediaStreamTrack
  maxBufferSize?: number
}) => { readable: ReadableStream<VideoFrame> | ReadableStream<AudioData> }

export interface Platform {
  devices: MediaDevices | undefined
  Processor: TrackProcessor | undefined
  AudioContext: typeof AudioContext | undefined
  now: () => number
}

export function page(): Platform {
  return {
    devices: globalThis.navigator?.mediaDevices,
    Processor: (globalThis as { MediaStreamTrackProcessor?: unknown }).MediaStreamTrackProcessor as TrackProcessor | undefined,
    AudioContext: globalThis.AudioContext,
    now: () => performance.now(),
  }
}

/** Reads to the end, one after the other: while `each` is at work the browser drops what is too much. Everything read is closed here. */
export function reading<T extends VideoFrame | AudioData>(
  readable: ReadableStream<T>,
  each: (value: T, received: number) => void | Promise<void>,
  now: () => number,
): Source {
  const reader = readable.getReader()
  const run = async () => {
    for (;;) {
      const { done, value } = await reader.read()
      if (done) return
      try {
        await each(value, now())
      } finally {
        value.close()
      }
    }
  }
  const close = () => void reader.cancel().catch(() => {})
  return { done: run().finally(close), close }
}

/** A promise and what settles it. */
export function deferred(): { promise: Promise<void>; resolve: () => void; reject: (error: unknown) => void } {
  let [resolve, reject] = [() => {}, (_: unknown) => {}]
  const promise = new Promise<void>((yes, no) => {
    resolve = yes
    reject = no
  })
  return { promise, resolve, reject }
}
