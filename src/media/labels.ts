// What models expect of time, as data: which frames they take, which of them share a step, and how a step's time is written. A wrong label is
// never noticed further down, so all of it is held against the real processors (test/media/sampling.json).
import { fault } from './faults.ts'
import { linspace, walk } from './marks.ts'
import { grid, halfEven, type Rate, type RateLike, type Seconds } from './ticks.ts'

/** Takes `fps` frames a second; beyond `longest` seconds so many as that makes, spread evenly. */
interface Steady {
  kind: 'steady'
  fps: number
  longest: Seconds
}

/** Takes a rate that falls with the length: the first tier that the clip fits in, at most `frames` of at most `longest` seconds. */
interface Tiered {
  kind: 'tiered'
  tiers: readonly { upTo: Seconds; steps: number }[]
  frames: number
  longest: Seconds
}

export interface VideoProfile {
  kind: 'video'
  sampling: Steady | Tiered
  /** Frames that share a step; it has the time of the first. */
  pair: number
  /** How a step's time stands after its picture: whole seconds cut off, or tenths with a unit. */
  label: 'whole' | 'tenths'
}

export interface AudioProfile {
  kind: 'audio'
  sampleRate: number
  hop: number
  /** Seconds of a chunk, of everything, and frames of mel in a chunk. */
  chunk: Seconds
  longest: Seconds
  /** Steps of a chunk lie this far apart: tokens per second. */
  tokens: Rate
}

export interface RateProfile {
  kind: 'rate'
  tokens: Rate
}

export const profiles = {
  'glm-4.1v': { kind: 'video', sampling: { kind: 'steady', fps: 2, longest: 300 }, pair: 2, label: 'whole' },
  'glm-4.6v': {
    kind: 'video',
    sampling: {
      kind: 'tiered',
      tiers: [
        { upTo: 30, steps: 3 },
        { upTo: 300, steps: 1 },
        { upTo: 2400, steps: 0.5 },
      ],
      frames: 640,
      longest: 2400,
    },
    pair: 2,
    label: 'tenths',
  },
  // Its processor says 655 s and takes whole chunks of them.
  'glm-asr': { kind: 'audio', sampleRate: 16_000, hop: 160, chunk: 30, longest: 630, tokens: { num: 25, den: 2 } },
  'omni-25': { kind: 'rate', tokens: { num: 25, den: 1 } },
  'omni-13': { kind: 'rate', tokens: { num: 13, den: 1 } },
} as const satisfies Record<string, VideoProfile | AudioProfile | RateProfile>

export type ProfileName = keyof typeof profiles

export function profile(name: ProfileName): VideoProfile | AudioProfile | RateProfile {
  if (!Object.hasOwn(profiles, name))
    throw fault('E_RANGE', '', `There is no profile ${String(name)}; there are ${Object.keys(profiles).join(', ')}.`)
  return profiles[name]
}

/** A clip to take frames of. */
export interface Clip {
  frames: number
  /** Frames per second: exact for steady clips, the mean for others. */
  fps: RateLike
  /** Seconds. Default: as the processors guess it from the frames. */
  duration?: Seconds
  /** Seconds of each frame from the clip's start, where they are not i / fps. */
  times?: ArrayLike<Seconds>
}

/** Indices of the frames that a model takes, in pairs: an odd last one stands twice. */
export function sampleFrames(name: ProfileName, clip: Clip): number[] {
  const one = profile(name)
  if (one.kind !== 'video') throw fault('E_RANGE', '', `Profile ${name} takes no frames.`)
  if (clip.frames === 0) return []
  const { num, den } = grid(clip.fps)
  const fps = num / den
  const last = clip.frames - 1
  const duration = clip.duration || halfEven(last / fps) + 1
  const found =
    one.sampling.kind === 'steady' ? steady(one.sampling, clip, fps, duration) : tiered(one.sampling, one.pair, clip, fps, duration)
  const single = [...new Set(found.map((index) => Math.min(last, index)))]
  while (single.length % one.pair !== 0) single.push(single.at(-1)!)
  return single
}

/** What stands after a step's picture. */
export function labelOf(name: ProfileName, seconds: Seconds): string {
  const one = profile(name)
  if (one.kind !== 'video') return ''
  return one.label === 'whole' ? String(Math.trunc(seconds) + 0) : `${tenths(seconds)} seconds`
}

/** How many tokens a model makes of so many seconds of sound, chunk by chunk. */
export function audioTokens(name: ProfileName, seconds: Seconds): number[] {
  const one = profile(name)
  if (one.kind !== 'audio') throw fault('E_RANGE', '', `Profile ${name} takes no sound.`)
  const samples = Math.floor(Math.min(seconds, one.longest) * one.sampleRate + 1e-6)
  const room = one.chunk * one.sampleRate
  const chunks = Math.ceil(samples / room)
  return Array.from({ length: chunks }, (_, k) => tokensOf(Math.floor(Math.min(room, samples - k * room) / one.hop)))
}

/** Two convolutions, the second of stride 2, then four become one. */
function tokensOf(mel: number): number {
  const halved = Math.floor((mel - 1) / 2) + 1
  return Math.max(0, Math.floor((halved - 4) / 4) + 1)
}

/** Marks of the processors; with real times a mark's frame is the first at or after it. */
function steady(how: Steady, clip: Clip, fps: number, duration: Seconds): number[] {
  const most = Math.trunc(how.longest * how.fps)
  if (duration > how.longest) {
    if (most >= clip.frames) return Array.from({ length: clip.frames }, (_, i) => i)
    const marks = linspace(0, duration, most)
    return clip.times ? walk(clip.times, marks) : marks.map((mark) => Math.ceil(mark * fps))
  }
  const count = Math.max(1, Math.floor(duration * how.fps))
  const marks = Array.from({ length: count }, (_, i) => i)
  if (clip.times)
    return walk(
      clip.times,
      marks.map((i) => i / how.fps),
    )
  return marks.map((i) => Math.ceil((i * fps) / how.fps))
}

function tiered(how: Tiered, pair: number, clip: Clip, fps: number, duration: Seconds): number[] {
  const length = Math.min(duration, how.longest)
  const { steps } = how.tiers.find(({ upTo }) => length <= upTo)!
  const count = Math.min(how.frames, Math.trunc(length * steps * pair))
  const spread = (from: number, to: number) => linspace(from, to, count).map(Math.floor)
  if (clip.frames < count) return spread(0, clip.frames - 1)
  const found = marked(clip, fps, 1 / (pair * steps), Math.trunc(duration))
  if (found.length < count) return spread(found[0] ?? 0, found.at(-1) ?? clip.frames - 1)
  return found.length > count ? spread(0, clip.frames - 1) : found
}

/** Walks the frames and takes one whenever its time has reached the next mark; marks end with the clip's whole seconds. */
function marked(clip: Clip, fps: number, step: Seconds, end: Seconds): number[] {
  const period = 1 / fps
  const found: number[] = []
  let mark = 0
  for (let i = 0; i < clip.frames; i++) {
    if ((clip.times?.[i] ?? i * period) < mark) continue
    mark += step
    found.push(i)
    if (mark >= end) break
  }
  return found
}

/** One decimal, of exact ties the even one, as the processors print it: toFixed alone would make 0.25 to 0.3. */
function tenths(seconds: Seconds): string {
  const tie = (seconds * 4) % 1 === 0 && (seconds * 2) % 1 !== 0
  return tie ? (halfEven(seconds * 10) / 10).toFixed(1) : seconds.toFixed(1)
}
