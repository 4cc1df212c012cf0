// The single placeholder that a template writes for a picture or a video, made into as many tokens as the model sees of it. A video becomes
// one picture after the other, each with its time behind it. Which tokens are placeholders the ids say alone: what a user wrote never
// becomes a control token (text/taint.ts).
import { GlmError } from '../errors.ts'

/** Ids of control tokens, looked up by their strings: they differ from model to model. */
export interface PlaceholderIds {
  /** `<|image|>`; GLM-Edge-V: `<|begin_of_image|>`. It is also what every token of a picture and of a video's step is. */
  image: number
  /** `<|video|>`, where the model sees videos. */
  video?: number
  /** `<|begin_of_image|>` and `<|end_of_image|>`, written around each step of a video. */
  begin?: number
  end?: number
  /** GLM-Edge-V: the template writes a run of placeholders for one picture, and the picture takes the place of all. */
  run?: boolean
}

/** Tokens of each step of a video, and what is written behind it (media/labels.ts). */
export interface VideoSteps {
  tokens: number
  labels: readonly string[]
}

/** A stretch of the expanded ids, `tokens` long from `at`; those of pictures and steps are embedded by rows of the vision tower. */
export type Segment =
  | { kind: 'text'; at: number; tokens: number }
  | { kind: 'picture'; at: number; tokens: number; picture: number }
  | { kind: 'step'; at: number; tokens: number; video: number; step: number }

export interface Expanded {
  ids: number[]
  /** Without gaps, in order; no two of text in a row. */
  segments: Segment[]
}

/**
 * Expands the placeholders of a rendered prompt. `pictures` has the tokens of each picture in the order of the prompt, `videos` likewise;
 * `encode` makes ids of a label. Throws `messages_invalid` when there are more or fewer placeholders than pictures or videos.
 */
export function expandPlaceholders(
  ids: readonly number[],
  placeholders: PlaceholderIds,
  pictures: readonly number[],
  videos: readonly VideoSteps[],
  encode: (label: string) => readonly number[],
): Expanded {
  const out = new Expansion()
  const { image, video, run = false } = placeholders
  const found = { pictures: 0, videos: 0 }
  for (let at = 0; at < ids.length; at++) {
    const id = ids[at]!
    if (id === image) {
      while (run && ids[at + 1] === image) at++
      const picture = found.pictures++
      out.seen({ kind: 'picture', picture }, pictures[picture] ?? 0, image)
    } else if (id === video) {
      const which = found.videos++
      if (videos[which]) expandVideo(out, placeholders, which, videos[which], encode)
    } else out.text([id])
  }
  compare('picture', found.pictures, pictures.length)
  compare('video', found.videos, videos.length)
  return { ids: out.ids, segments: out.segments }
}

function expandVideo(
  out: Expansion,
  { image, begin, end }: PlaceholderIds,
  video: number,
  { tokens, labels }: VideoSteps,
  encode: (label: string) => readonly number[],
): void {
  if (begin === undefined || end === undefined) throw new GlmError('messages_invalid', 'This model sees no videos; give it pictures.')
  for (const [step, label] of labels.entries()) {
    out.text([begin])
    out.seen({ kind: 'step', video, step }, tokens, image)
    out.text([end, ...encode(label)])
  }
}

function compare(what: string, placeholders: number, given: number): void {
  if (placeholders === given) return
  const many = (count: number) => `${count} ${what}${count === 1 ? '' : 's'}`
  const text = `The template has room for ${many(placeholders)}, and the messages have ${many(given)}`
  throw new GlmError('messages_invalid', `${text}; give pictures and videos as parts of a user's message, to a model that sees them.`)
}

/** Ids and segments as they grow together. */
class Expansion {
  readonly ids: number[] = []
  readonly segments: Segment[] = []

  text(ids: readonly number[]): void {
    const last = this.segments.at(-1)
    if (last?.kind === 'text') last.tokens += ids.length
    else if (ids.length > 0) this.segments.push({ kind: 'text', at: this.ids.length, tokens: ids.length })
    for (const id of ids) this.ids.push(id)
  }

  seen(source: { kind: 'picture'; picture: number } | { kind: 'step'; video: number; step: number }, tokens: number, id: number): void {
    this.segments.push({ ...source, at: this.ids.length, tokens })
    for (let i = 0; i < tokens; i++) this.ids.push(id)
  }
}
