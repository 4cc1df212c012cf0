// A lane: one track as the page holds it, what there is to draw of it, and how it goes into a Timeline.
import type { Cue, MediaAudio, PolicyName, Timeline, TrackKind } from 'glm-webgpu'
import type { Thumbs } from './timeline-thumbs.ts'
import type { Wave } from './timeline-wave.ts'

/** What is drawn of a lane. Times are seconds of the track itself, before offset and origin. */
export type Content =
  | { kind: 'video'; times: ArrayLike<number>; end: number; thumbs: Thumbs }
  | { kind: 'audio'; start: number; end: number; wave: Wave; audio?: MediaAudio }
  | { kind: 'text'; cues: readonly Cue[] }
  | { kind: 'event'; marks: readonly Mark[] }

export interface Mark {
  time: number
  text: string
}

export interface Lane {
  /** Its name in the plan. */
  id: string
  /** Where it is from: a file or a device. */
  from: string
  content: Content
  /** Seconds. */
  offset: number
  policy: PolicyName
  /** ms; undefined is what the policy takes. */
  tolerance?: number
  /** Samples, frames, cues: an axis of too many is not offered. */
  count: number
  add(timeline: Timeline, id: string): void
}

/** What a file or a device gave: closed as a whole, when none of its lanes is left. */
export interface Source {
  lanes: Lane[]
  /** Sentences of the package about it. */
  warnings: string[]
  close(): void
}

/** Policies that a kind takes, the usual one first. */
export const policies: Record<Exclude<TrackKind, 'series'>, PolicyName[]> = {
  video: ['nearest', 'hold', 'next', 'blend', 'window', 'none'],
  audio: ['mean', 'max', 'sum', 'linear', 'nearest', 'hold', 'next', 'window', 'none'],
  text: ['hold', 'window', 'nearest', 'next', 'none'],
  event: ['window', 'nearest', 'hold', 'next', 'none'],
}

export function newLane(id: string, from: string, content: Content, count: number, add: Lane['add'], policy?: PolicyName): Lane {
  return { id, from, content, offset: 0, policy: policy ?? policies[content.kind][0]!, count, add }
}

export function eventLane(id: string, from: string, marks: readonly Mark[]): Lane {
  const add = (timeline: Timeline, name: string) => {
    timeline.event(name, { times: marks.map(({ time }) => time), payloads: marks.map(({ text }) => text) })
  }
  return newLane(id, from, { kind: 'event', marks }, marks.length, add)
}

export function textLane(id: string, from: string, cues: readonly Cue[]): Lane {
  return newLane(id, from, { kind: 'text', cues }, cues.length, (timeline, name) => void timeline.text(name, { cues }))
}

/** `video`, then `video-2`. */
export function freeId(base: string, taken: readonly string[]): string {
  for (let count = 1; ; count++) {
    const id = count === 1 ? base : `${base}-${count}`
    if (!taken.includes(id)) return id
  }
}
