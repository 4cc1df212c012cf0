// Expansion against the real processors: from messages by template and tokenizer of each checkpoint to ids, types and positions.
import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { labelOf, type ProfileName } from '../../src/media/labels.ts'
import { type Grid, positionsOf, type Run } from '../../src/model/mrope.ts'
import { type Expanded, expandPlaceholders, type PlaceholderIds, type VideoSteps } from '../../src/model/placeholders.ts'
import { createTemplate } from '../../src/text/template.ts'
import { createTokenizer } from '../../src/text/tokenizer.ts'

interface Golden {
  tokens: PlaceholderIds
  label?: 'whole' | 'tenths'
  sights: Record<string, { tokens: number }>
  cases: {
    name: string
    messages: unknown[]
    variables: Record<string, unknown>
    sights: string[]
    prompt: string
    promptIds: number[]
    labels?: string[]
    ids: number[]
    types?: number[]
    positions?: number[][]
    delta?: number
  }[]
}

interface Sight {
  grid: Grid
  times?: number[]
}

const read = (name: string) => readFileSync(new URL(`../fixtures/vision/${name}`, import.meta.url), 'utf8')
const json = (name: string) => JSON.parse(read(name))
const sights: Record<string, Sight> = json('levels.json').sights

const toolsOf = (folder: string) => {
  const config = json(`${folder}/tokenizer_config.json`)
  const tokenizer = createTokenizer(json(`${folder}/tokenizer.json`), config)
  return { tokenizer, template: createTemplate(read(`${folder}/chat_template.jinja`), tokenizer, config) }
}

/** Tokens and labels of a clip, as our timeline labels it. */
function stepsOf(sight: Sight, profile: ProfileName): VideoSteps {
  const [t, h, w] = sight.grid
  const times = sight.times!
  return {
    tokens: (h * w) / 4,
    labels: Array.from({ length: t }, (_, step) => labelOf(profile, times[Math.min(2 * step, times.length - 1)]!)),
  }
}

const runsOf = ({ segments }: Expanded, stills: Sight[], clips: Sight[]): Run[] =>
  segments.map((one) => {
    if (one.kind === 'text') return { tokens: one.tokens }
    const [, h, w] = one.kind === 'picture' ? stills[one.picture]!.grid : clips[one.video]!.grid
    return { grid: [1, h, w] }
  })

describe.each(['glm4v', 'glm46v', 'glm_ocr'])('%s', (folder) => {
  const golden: Golden = json(`${folder}.json`)
  const { tokenizer, template } = toolsOf(folder)
  const profile: ProfileName = golden.label === 'whole' ? 'glm-4.1v' : 'glm-4.6v'

  test.each(golden.cases.map((one) => [one.name, one] as const))('%s: ids, types, labels and positions of the class', (_, one) => {
    const rendered = template.render(one.messages, { variables: one.variables })
    expect(rendered.text).toBe(one.prompt)
    expect(rendered.ids).toEqual(one.promptIds)

    const clips = one.sights.map((name) => sights[name]!).filter(({ times }) => times)
    const stills = one.sights.map((name) => sights[name]!).filter(({ times }) => !times)
    const videos = clips.map((clip) => stepsOf(clip, profile))
    expect(videos.flatMap(({ labels }) => labels)).toEqual(one.labels)
    const pictures = stills.map(({ grid }) => (grid[1] * grid[2]) / 4)
    const found = expandPlaceholders(rendered.ids, golden.tokens, pictures, videos, (label) => tokenizer.encodePlain(label))
    expect(found.ids).toEqual(one.ids)
    const types = { text: 0, picture: 1, step: 2 }
    expect(found.segments.flatMap((segment) => new Array(segment.tokens).fill(types[segment.kind]))).toEqual(one.types)

    const positions = positionsOf(runsOf(found, stills, clips), 2)
    expect(positions.delta).toBe(one.delta)
    expect([0, 1, 2].map((axis) => [...positions.ids.subarray(axis * positions.tokens, (axis + 1) * positions.tokens)])).toEqual(
      one.positions,
    )
  })
})

describe('glm_edge_v', () => {
  const golden: Golden = json('glm_edge_v.json')
  const { tokenizer, template } = toolsOf('glm_edge_v')
  const encode = (label: string) => tokenizer.encodePlain(label)

  test.each(golden.cases.map((one) => [one.name, one] as const))('%s: a run of placeholders is one picture', (_, one) => {
    const rendered = template.render(one.messages, { variables: one.variables })
    expect(rendered.ids).toEqual(one.promptIds)
    const pictures = one.sights.map((name) => golden.sights[name]!.tokens)
    const found = expandPlaceholders(rendered.ids, { ...golden.tokens, run: true }, pictures, [], encode)
    expect(found.ids).toEqual(one.ids)
    expect(found.segments.filter(({ kind }) => kind === 'picture').length).toBe(pictures.length)
  })
})

const IDS: PlaceholderIds = { image: 1, video: 2, begin: 3, end: 4 }
const encode = (label: string) => Array.from(label, (character) => 100 + character.charCodeAt(0))

describe('what does not fit is refused', () => {
  const code = (work: () => unknown) => {
    try {
      work()
    } catch (error) {
      return (error as { code: string }).code
    }
    return 'nothing'
  }
  const video: VideoSteps = { tokens: 2, labels: ['0', '1'] }
  const cases: [string, number[], PlaceholderIds, number[], VideoSteps[]][] = [
    ['a placeholder too many', [7, 1, 1], IDS, [4], []],
    ['a picture too many', [7, 1], IDS, [4, 4], []],
    ['a video too many', [7], IDS, [], [video]],
    ['no video for a placeholder', [2], IDS, [], []],
    ['a video where a picture should be', [1], IDS, [], [video]],
    ['pictures without a template for them', [7, 8], IDS, [4], []],
    ['a video for a model that sees none', [7], { image: 1 }, [], [video]],
    ['a video without ids to frame its steps', [2], { image: 1, video: 2 }, [], [video]],
    ['two pictures in one run', [1, 1, 1], { image: 1, run: true }, [3, 3], []],
  ]
  test.each(cases)('%s', (_, ids, placeholders, pictures, videos) => {
    expect(code(() => expandPlaceholders(ids, placeholders, pictures, videos, encode))).toBe('messages_invalid')
  })
})

test('control strings that a user writes are no placeholders', () => {
  const golden: Golden = json('glm46v.json')
  const { tokenizer, template } = toolsOf('glm46v')
  const { ids } = template.render([
    { role: 'user', content: [{ type: 'text', text: '<|image|><|begin_of_video|><|video|>' }, { type: 'image' }] },
  ])
  const found = expandPlaceholders(ids, golden.tokens, [3], [], (label) => tokenizer.encodePlain(label))
  expect(found.ids.filter((id) => id === golden.tokens.image).length).toBe(3)
  expect(found.ids.filter((id) => id === golden.tokens.video).length).toBe(0)
})

test('segments have no gaps, no two of text in a row, and every picture and step once', () => {
  const piece = fc.oneof(
    { weight: 3, arbitrary: fc.record({ text: fc.array(fc.integer({ min: 5, max: 50 }), { maxLength: 6 }) }) },
    { weight: 2, arbitrary: fc.record({ picture: fc.integer({ min: 1, max: 9 }) }) },
    {
      weight: 1,
      arbitrary: fc.record({ tokens: fc.integer({ min: 1, max: 5 }), labels: fc.array(fc.string({ maxLength: 3 }), { maxLength: 4 }) }),
    },
  )
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 10 }), (pieces) => {
      const ids = pieces.flatMap((one) => ('text' in one ? one.text : 'picture' in one ? [1] : [2]))
      const pictures = pieces.flatMap((one) => ('picture' in one ? [one.picture] : []))
      const videos = pieces.flatMap((one) => ('labels' in one ? [one] : []))
      const found = expandPlaceholders(ids, IDS, pictures, videos, encode)
      const expected = pieces.flatMap((one) => {
        if ('text' in one) return one.text
        if ('picture' in one) return new Array(one.picture).fill(1)
        return one.labels.flatMap((label) => [3, ...new Array(one.tokens).fill(1), 4, ...encode(label)])
      })
      expect(found.ids).toEqual(expected)
      let at = 0
      for (const [i, segment] of found.segments.entries()) {
        expect(segment.at).toBe(at)
        if (segment.kind === 'text') expect(found.segments[i - 1]?.kind).not.toBe('text')
        at += segment.tokens
      }
      expect(at).toBe(found.ids.length)
      expect(found.segments.flatMap((one) => (one.kind === 'picture' ? [one.picture] : []))).toEqual(pictures.map((_, i) => i))
      const steps = found.segments.flatMap((one) => (one.kind === 'step' ? [[one.video, one.step]] : []))
      expect(steps).toEqual(videos.flatMap((one, video) => one.labels.map((_, step) => [video, step])))
    }),
  )
})
