// What a person gives becomes lanes: pictures, captions, and everything else as a file of video or sound. Nothing is decoded to open it.
import { fromSeconds, GlmError, type MediaAudio, type MediaVideo, openMedia, readCaptions, readPicture, type Segment } from 'glm-webgpu'
import { freeId, type Lane, newLane, type Source, textLane } from './timeline-lane.ts'
import { DecodedThumbs, PictureThumbs } from './timeline-thumbs.ts'
import { Wave } from './timeline-wave.ts'

/** How long each of several pictures stands, in seconds. */
const STANDS = 2
/** Longest side of a picture that is kept to be shown. */
const SHOWN = 1280

/** Sound to read once the lane is there. */
export interface Heard {
  audio: MediaAudio
  wave: Wave
}

export interface Opened extends Source {
  heard?: Heard
}

/** Each as it is open; what cannot be opened is told when the others are. Pictures chosen together share a lane. `taken` are names of lanes. */
export async function* openFiles(files: readonly File[], taken: () => string[], signal: AbortSignal): AsyncGenerator<Opened> {
  const pictures = files.filter(isPicture)
  const failures: unknown[] = []
  const groups = [...files.filter((file) => !isPicture(file)).map((file) => [file]), ...(pictures.length > 0 ? [pictures] : [])]
  for (const group of groups) {
    const [file] = group as [File]
    try {
      yield isPicture(file) ? await stills(group, taken(), signal) : await (isCaptions(file) ? captions : media)(file, taken(), signal)
    } catch (error) {
      failures.push(error instanceof GlmError ? new GlmError(error.code, `${file.name}: ${error.message}`, { cause: error }) : error)
    }
    throwIfAborted(signal)
  }
  if (failures.length > 0) throw failures[0]
}

function throwIfAborted(signal: AbortSignal): void {
  if (signal.aborted) throw new GlmError('aborted', 'The call was aborted.')
}

const isPicture = ({ type, name }: File): boolean => type.startsWith('image/') || /\.(png|jpe?g|webp|gif|bmp|avif|svg)$/i.test(name)
const isCaptions = ({ type, name }: File): boolean => type.startsWith('text/') || /\.(vtt|srt|txt)$/i.test(name)

async function captions(file: File, taken: string[], signal: AbortSignal): Promise<Opened> {
  const { cues, warnings } = await readCaptions(file, { signal })
  return { lanes: [textLane(freeId('captions', taken), file.name, cues)], warnings: warnings.map(({ text }) => text), close() {} }
}

async function stills(files: File[], taken: string[], signal: AbortSignal): Promise<Opened> {
  const pictures: ImageBitmap[] = []
  try {
    for (const file of files) {
      const { data, width, height } = await readPicture(file, { signal })
      const scale = Math.min(1, SHOWN / Math.max(width, height))
      const size = { resizeWidth: Math.max(1, Math.round(width * scale)), resizeHeight: Math.max(1, Math.round(height * scale)) }
      pictures.push(await createImageBitmap(new ImageData(new Uint8ClampedArray(data.buffer), width, height), size))
    }
  } catch (error) {
    for (const picture of pictures) picture.close()
    throw error
  }
  const thumbs = new PictureThumbs(pictures)
  const times = files.map((_, k) => k * STANDS)
  const add: Lane['add'] = (timeline, name) => void timeline.video(name, { times, duration: STANDS })
  const content = { kind: 'video', times, end: files.length * STANDS, thumbs } as const
  const from = files.map(({ name }) => name).join(', ')
  return { lanes: [newLane(freeId('picture', taken), from, content, files.length, add, 'hold')], warnings: [], close: () => thumbs.close() }
}

async function media(file: File, taken: string[], signal: AbortSignal): Promise<Opened> {
  const found = await openMedia(file, { signal })
  const lanes: Lane[] = []
  const { video, audio, warnings } = found
  if (video) lanes.push(videoLane(freeId('video', taken), file.name, video))
  const wave = new Wave()
  if (audio) lanes.push(audioLane(freeId('audio', taken), file.name, audio, wave))
  const close = () => {
    for (const { content } of lanes) if (content.kind === 'video') content.thumbs.close()
    wave.close()
    found.close()
  }
  return { lanes, warnings: [...warnings], close, ...(audio ? { heard: { audio, wave } } : {}) }
}

function videoLane(id: string, from: string, video: MediaVideo): Lane {
  const { times, native, timebase, width, height } = video
  const last = video.duration - (times.at(-1)! - times[0]!)
  const thumbs = new DecodedThumbs(width / height, (indices, signal) => video.frames(indices, { signal }))
  const add: Lane['add'] = (timeline, name) => {
    timeline.video(name, { native, timebase, ...(last > 0 ? { duration: last } : {}) })
  }
  return newLane(id, from, { kind: 'video', times, end: times[0]! + video.duration, thumbs }, times.length, add)
}

function audioLane(id: string, from: string, audio: MediaAudio, wave: Wave): Lane {
  const { times, sampleRate } = audio
  const segments = stretches(audio)
  const count = segments.reduce((sum, one) => sum + one.count!, 0)
  const content = { kind: 'audio', start: times[0]!, end: times[0]! + audio.duration, wave, audio } as const
  return newLane(id, from, content, count, (timeline, name) => void timeline.audio(name, { sampleRate, segments }))
}

/** What lies between its gaps: a clock without samples. */
function stretches({ times, duration, sampleRate, gaps }: MediaAudio): Segment[] {
  const starts = [times[0]!, ...gaps.map(({ end }) => end)]
  const ends = [...gaps.map(({ start }) => start), times[0]! + duration]
  return starts.map((start, k) => ({ startTicks: fromSeconds(start), count: Math.round((ends[k]! - start) * sampleRate) }))
}
