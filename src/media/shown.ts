// Messages with pictures, videos and timelines made into what crosses to the engine: plain messages with a mark where each stood, and pixels, sampled and
// labelled as the model was trained on them. Fetched with the first message that shows something.
import { GlmError, throwIfAborted } from '../errors.ts'
import {
  framePixels,
  labelOf,
  openMedia,
  type PictureInput,
  type Pixels,
  type ProfileName,
  readPicture,
  type Seconds,
  sampleFrames,
  type Timeline,
  toSeconds,
} from './index.ts'
import { walk } from './marks.ts'
import { pixelSource } from './pixel_source.ts'
import type { YuvPixels } from './pixels.ts'
import type { Size } from './resize.ts'
import { Fit } from './shown_fit.ts'
import type { Budget, SizeRule } from './shown_size.ts'

/** What a model sees: of pictures, and of videos by which rule. */
export interface Sees {
  picture: boolean
  video: boolean
  /** How its videos are sampled and labelled. */
  profile?: ProfileName
  /** How large they become. */
  sizes?: SizeRule
}

/** A picture, or a video's frames: two of them share a step, an odd last one has its own. */
export interface Shown {
  frames: Pixels[]
  /** Of a video: when each step was, and how the model reads it. */
  steps?: { time: Seconds; label: string }[]
  /** What the frames were made to be, where they were too many bytes to cross. */
  size?: Size
}

/** The part of a message that holds a video. */
export interface VideoPart {
  type: 'video'
  /** A file, its bytes or its address; or frames that are taken as they are, with their times in seconds. */
  video: Blob | ArrayBuffer | Uint8Array | URL | string | { frames: readonly PictureInput[]; times: readonly Seconds[] }
  /** Frames a second, in place of the model's own rule. */
  fps?: number
  /** Seconds of the file, in place of all of it. */
  start?: Seconds
  end?: Seconds
}

interface Request {
  messages: readonly unknown[]
  budget?: Budget | null
}

export interface ShownOptions {
  /** Of `glm.model`; absent in models that see nothing. */
  sees?: Sees | undefined
  signal?: AbortSignal | undefined
}

type Part = Record<string, unknown>

interface Reading {
  sees: Sees
  budget: Budget | null | undefined
  options: { signal?: AbortSignal }
  /** Of all pixels read so far. */
  bytes: number
}

/** Pixels that may cross together: they stand in memory in the page, then in the worker. */
const mostBytes = 2 ** 30

/**
 * The request with marks in place of pictures and videos, which come in `shown` in their order; `pixels`: their bytes, which may be handed over. Nothing of
 * the caller's is changed or closed.
 */
export async function readShown<R extends Request>(
  request: R,
  { sees, signal }: ShownOptions,
): Promise<R & { shown: Shown[]; pixels: ArrayBuffer[] }> {
  const shown: Shown[] = []
  const reading = sees && { sees, budget: request.budget, options: signal ? { signal } : {}, bytes: 0 }
  const messages: unknown[] = []
  for (const message of request.messages) {
    const { content } = (message ?? {}) as { content?: unknown }
    if (!Array.isArray(content)) {
      messages.push(message)
      continue
    }
    const parts: unknown[] = []
    for (const part of content as Part[]) {
      throwIfAborted(signal)
      parts.push(part?.type === 'text' ? part : await readPart(part ?? {}, reading, shown))
    }
    messages.push({ ...(message as object), content: parts })
  }
  const pixels = new Set(shown.flatMap(({ frames }) => frames.map(({ data }) => data.buffer)))
  return { ...request, messages, shown, pixels: [...pixels] }
}

async function readPart(part: Part, reading: Reading | undefined, shown: Shown[]): Promise<{ type: string }> {
  const { type } = part
  if (type === 'input_audio') throw refused('This model hears nothing: give it text, pictures or frames in place of sound.')
  const read = typeof type === 'string' && Object.hasOwn(readers, type) ? readers[type] : undefined
  if (!read)
    throw refused(
      `A message has a part of type ${JSON.stringify(type) ?? 'undefined'}; use ${['text', ...Object.keys(readers)].join(', ')}.`,
    )
  const kind = type === 'image' || type === 'image_url' ? 'image' : 'video'
  const able = kind === 'image' ? reading?.sees.picture : reading?.sees.video
  if (!reading || !able)
    throw refused(`This model sees no ${kind === 'image' ? 'pictures' : 'videos'}: leave them out, or load a model that does.`)
  shown.push(await read(part, reading))
  return { type: kind }
}

const refused = (text: string) => new GlmError('messages_invalid', text)

const readers: Record<string, (part: Part, reading: Reading) => Promise<Shown>> = {
  image: ({ image }, reading) => ofPicture(image, reading),
  image_url: ({ image_url }, reading) => {
    const address = typeof image_url === 'string' ? image_url : (image_url as { url?: unknown } | undefined)?.url
    if (typeof address !== 'string') throw refused('A part of type image_url has no address; give image_url: { url }.')
    return ofPicture(address, reading)
  },
  video: (part, reading) => readVideo(part as unknown as VideoPart, reading),
  timeline: ({ timeline }, reading) => ofTimeline(timeline as Timeline, reading),
}

async function ofPicture(input: unknown, reading: Reading): Promise<Shown> {
  const fit = new Fit({ sizes: reading.sees.sizes, budget: reading.budget })
  return fitted([await own(input, fit, reading)], fit)
}

const fitted = (frames: Pixels[], { size }: Fit): Shown => ({ frames, ...(size && { size }) })

/** For `count` frames of a video, two of them in a step. */
const fitOf = (count: number, { sees, budget }: Reading) => new Fit({ sizes: sees.sizes, budget }, count, Math.ceil(count / 2))

/** Pixels that may be handed over: the caller's are copied. */
async function own(input: unknown, fit: Fit, reading: Reading): Promise<Pixels> {
  const pixels = counted(fit.take(isPixels(input) ? input : await readPicture(input as PictureInput, reading.options)), reading)
  return pixels === input ? { ...pixels, data: new Uint8Array(pixels.data) } : pixels
}

function counted(pixels: Pixels, reading: Reading): Pixels {
  reading.bytes += pixels.data.length
  if (reading.bytes > mostBytes)
    throw new GlmError(
      'out_of_memory',
      'The pictures and frames of these messages are more than 1 GiB of pixels: give fewer frames (fps, start, end), or smaller ones.',
    )
  return pixels
}

/** Planes of luma and chroma, whole; other pixels are a picture like any. */
function isPixels(input: unknown): input is Pixels {
  const { format, data, planes } = (input ?? {}) as Partial<YuvPixels>
  if (format !== 'I420' && format !== 'NV12') return false
  if (!(data instanceof Uint8Array && Array.isArray(planes)))
    throw new GlmError('request_invalid', `A picture in ${format} lacks its data or planes; give both, or RGBA.`)
  pixelSource(input as Pixels)
  return true
}

function readVideo({ video, fps, start, end }: VideoPart, reading: Reading): Promise<Shown> {
  for (const [name, value] of Object.entries({ fps, start, end })) {
    if (value !== undefined && !(typeof value === 'number' && Number.isFinite(value) && value >= 0 && (value > 0 || name === 'start')))
      throw refused(`${name} of a video is ${String(value)}; give a number above 0.`)
  }
  const given = video as { frames?: unknown; times?: unknown } | undefined
  if (Array.isArray(given?.frames)) return ofFrames(given.frames, given.times, reading)
  return ofFile(video as Blob, { fps, start, end }, reading)
}

/** Frames as they are: nobody samples them. */
async function ofFrames(frames: readonly unknown[], times: unknown, reading: Reading): Promise<Shown> {
  const given = Array.isArray(times) || ArrayBuffer.isView(times) ? Array.from(times as ArrayLike<Seconds>) : []
  const rising = given.every((time, i) => typeof time === 'number' && Number.isFinite(time) && time >= (given[i - 1] ?? 0))
  if (frames.length === 0 || given.length !== frames.length || !rising)
    throw refused(`A video has ${frames.length} frames and ${given.length} times; give each frame its time in seconds, rising from 0.`)
  const fit = fitOf(frames.length, reading)
  const pixels: Pixels[] = []
  for (const frame of frames) {
    throwIfAborted(reading.options.signal)
    pixels.push(await own(frame, fit, reading))
  }
  return { ...fitted(pixels, fit), steps: stepsOf(given, reading) }
}

/** A step has the time of the first of its two frames. */
const stepsOf = (times: readonly Seconds[], { sees }: Reading): NonNullable<Shown['steps']> =>
  times.filter((_, i) => i % 2 === 0).map((time) => ({ time, label: labelOf(sees.profile!, time) }))

async function ofFile(file: Blob, { fps, start, end }: Pick<VideoPart, 'fps' | 'start' | 'end'>, reading: Reading): Promise<Shown> {
  const media = await openMedia(file, reading.options)
  try {
    const { video } = media
    if (!video || video.times.length === 0)
      throw new GlmError('file_invalid', 'The file has no video that can be decoded here; convert it to MP4 (H.264).')
    if (fps === undefined && start === undefined && end === undefined)
      return await ofTimeline(await media.timeline(reading.options), reading)
    const from = media.start + (start ?? 0)
    const within = [...video.times.keys()].filter((i) => video.times[i]! >= from && video.times[i]! < media.start + (end ?? Infinity))
    if (within.length === 0)
      throw refused(`The video has no frame from ${start ?? 0} s to ${end ?? 'its end'}; it lasts ${media.duration.toFixed(1)} s.`)
    const times = within.map((i) => video.times[i]! - from)
    const length = Math.min(media.start + media.duration, media.start + (end ?? Infinity)) - from
    const taken = fps === undefined ? ruled(times, length, reading) : every(times, fps)
    const frames = new Map<number, Pixels>()
    const fit = fitOf(taken.length, reading)
    const wanted = [...new Set(taken)].map((i) => within[i]!)
    let at = 0
    for await (const frame of video.frames(wanted, reading.options)) {
      try {
        frames.set(wanted[at++]!, counted(fit.take(await framePixels(frame)), reading))
      } finally {
        frame.close()
      }
    }
    const seconds = taken.map((i) => video.times[within[i]!]! - media.start)
    const shown = taken.map((i) => frames.get(within[i]!)!)
    return { ...fitted(shown, fit), steps: stepsOf(seconds, reading) }
  } finally {
    media.close()
  }
}

/** What the model's rule takes of a stretch. */
function ruled(times: readonly Seconds[], duration: Seconds, { sees }: Reading): number[] {
  const fps = Math.max(1e-3, times.length / Math.max(duration, 1e-3))
  return sampleFrames(sees.profile!, { frames: times.length, fps, duration, times })
}

/** The first frame at or after each mark, each once. */
function every(times: readonly Seconds[], fps: number): number[] {
  const count = Math.min(times.length, Math.floor(times.at(-1)! * fps) + 1)
  return [
    ...new Set(
      walk(
        times,
        Array.from({ length: count }, (_, i) => i / fps),
      ),
    ),
  ]
}

/** Frames of a timeline's video track, those that the model's rule takes; decoded once each. */
async function ofTimeline(timeline: Timeline, reading: Reading): Promise<Shown> {
  const id = timeline?.tracks?.find(({ kind }) => kind === 'video')?.id
  if (id === undefined) throw refused('The timeline has no track of video; add one, or give its text as text.')
  const durationTolerance = Infinity // its other tracks are not asked
  const { axis } = timeline.plan({ axis: { kind: 'model', profile: reading.sees.profile!, id }, durationTolerance })
  const whole = timeline.plan({ axis: { kind: 'track', id }, durationTolerance })
  const cells = new Map([...whole.tracks[id]!.index].map((frame, cell) => [frame, cell]))
  const places = [...axis.frames!].map((frame) => cells.get(frame)!)
  const wanted = [...new Set(places)]
  if (wanted.length === 0) throw refused('The timeline has no frames; record some first.')
  const ticks = wanted.map((cell) => whole.axis.times[cell]!)
  const policies = { [id]: 'nearest' as const }
  const rendered = timeline.render(timeline.plan({ axis: { kind: 'explicit', ticks }, policies, durationTolerance }))[id]!
  const frames = new Map<number, Pixels>()
  const fit = fitOf(places.length, reading)
  for (const [at, frame] of rendered.frames!.entries()) {
    throwIfAborted(reading.options.signal)
    frames.set(wanted[at]!, await own(await frame, fit, reading))
  }
  const steps = axis.labels!.map((label, step) => ({ time: toSeconds(axis.times[step]!), label }))
  return {
    ...fitted(
      places.map((cell) => frames.get(cell)!),
      fit,
    ),
    steps,
  }
}
