// What capture tests share: frames counted from birth to close, devices of the test's own, streams that give what they are told when they are told.
import type { Platform, TrackProcessor } from '../../src/media/capture_source.ts'
import { page } from '../../src/media/capture_source.ts'

/** Every VideoFrame that a page or a processor has made since `count()`, until `restore()`. */
export function counted() {
  const Real = globalThis.VideoFrame
  const made: VideoFrame[] = []
  globalThis.VideoFrame = class extends Real {
    constructor(...parts: ConstructorParameters<typeof VideoFrame>) {
      super(...parts)
      made.push(this)
    }
  } as typeof VideoFrame
  return {
    made,
    /** A platform whose processors' frames count, too. */
    platform: { ...page(), Processor: counting(made) } as Platform,
    open: () => made.filter(({ codedWidth }) => codedWidth > 0).length,
    restore: () => {
      globalThis.VideoFrame = Real
    },
  }
}

function counting(made: VideoFrame[]): TrackProcessor {
  const Real = page().Processor!
  return class {
    readonly readable: ReadableStream
    constructor(init: ConstructorParameters<TrackProcessor>[0]) {
      const { readable } = new Real(init)
      const real = readable as ReadableStream<VideoFrame | AudioData>
      this.readable = {
        getReader() {
          const reader = real.getReader()
          const read = async () => {
            const result = await reader.read()
            if (result.value instanceof globalThis.VideoFrame || result.value?.constructor.name === 'VideoFrame')
              made.push(result.value as VideoFrame)
            return result
          }
          return { read, cancel: () => reader.cancel() }
        },
      } as unknown as ReadableStream
    }
  } as TrackProcessor
}

/** A processor that gives one value at a time, and tells when the last has been dealt with. */
export function fed<T>() {
  let controller: ReadableStreamDefaultController<T>
  let pulled: (() => void) | undefined
  let wanted = new Promise<void>(() => {})
  const fresh = () => {
    wanted = new Promise((resolve) => {
      pulled = resolve
    })
  }
  fresh()
  const readable = new ReadableStream<T>(
    {
      start: (given) => {
        controller = given
      },
      pull: () => pulled!(),
    },
    { highWaterMark: 0 },
  )
  const Processor = class {
    readonly readable = readable
  } as unknown as TrackProcessor
  return {
    Processor,
    /** Waits until the value is wanted, gives it, and waits until the next is wanted: by then it has been pushed. */
    async give(value: T): Promise<void> {
      await wanted
      fresh()
      controller.enqueue(value)
      await wanted
    },
    end: () => controller.close(),
  }
}

/** Devices that answer so. */
export function devices(answer: () => Promise<MediaStream>): MediaDevices {
  return { getUserMedia: answer, getDisplayMedia: answer } as unknown as MediaDevices
}

/** A stream of one track that says whether it was stopped; for Node, and for what no fake device does. */
export function stream() {
  const track = Object.assign(new EventTarget(), {
    stopped: 0,
    stop() {
      this.stopped++
    },
  })
  const list = () => [track as unknown as MediaStreamTrack]
  const value = { getTracks: list, getVideoTracks: list, getAudioTracks: list } as unknown as MediaStream
  return { stream: value, track }
}

export const platform = (answer: () => Promise<MediaStream>, more: Partial<Platform> = {}): Platform => ({
  devices: devices(answer),
  Processor: undefined,
  AudioContext: undefined,
  now: () => performance.now(),
  ...more,
})
