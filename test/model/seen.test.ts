// What stands in the place of tokens: from segments, as a cache compares it, and as a decoder is given it.
import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { type Config, parseConfig } from '../../src/model/config.ts'
import { positionsOf } from '../../src/model/mrope.ts'
import { noToken, type Row } from '../../src/model/rows.ts'
import { type Encoded, type Seen, seenOf } from '../../src/model/seen.ts'

const encoded = (key: number, row: number, ...grid: [number, number, number]): Encoded => ({ rows: {} as GPUBuffer, row, key, grid })
const picture = encoded(2 ** 40, 0, 1, 4, 6)
const clip = encoded(2 ** 41, 5, 2, 4, 2)
const segments = [
  { kind: 'text', at: 0, tokens: 3 },
  { kind: 'picture', at: 3, tokens: 6, picture: 0 },
  { kind: 'text', at: 9, tokens: 1 },
  { kind: 'step', at: 10, tokens: 2, video: 0, step: 0 },
  { kind: 'text', at: 12, tokens: 2 },
  { kind: 'step', at: 14, tokens: 2, video: 0, step: 1 },
  { kind: 'text', at: 16, tokens: 4 },
] as const

it('rows of each picture and step, positions of all', () => {
  const { sights, positions } = seenOf(segments, { pictures: [picture], videos: [clip], merge: 2 })
  expect(sights).toEqual([
    { at: 3, tokens: 6, rows: picture.rows, row: 0, key: 2 ** 40 },
    { at: 10, tokens: 2, rows: clip.rows, row: 5, key: 2 ** 41 },
    { at: 14, tokens: 2, rows: clip.rows, row: 7, key: 2 ** 41 + 1 },
  ])
  const step = { grid: [1, 4, 2] as const }
  const runs = [{ tokens: 3 }, { grid: [1, 4, 6] as const }, { tokens: 1 }, step, { tokens: 2 }, step, { tokens: 4 }]
  expect(positions).toEqual(positionsOf(runs, 2))
})

it('no positions where pictures count like words', () => {
  expect(seenOf(segments, { pictures: [picture], videos: [clip] }).positions).toBeUndefined()
})

it('keys are tokens, and a number for each picture and step', () => {
  const tokens = Array.from({ length: 22 }, (_, at) => at)
  const keys = seenOf(segments, { pictures: [picture], videos: [clip], merge: 2 }).keys(tokens)
  const [first, second] = [2 ** 41, 2 ** 41 + 1]
  expect(keys).toEqual([0, 1, 2, ...Array(6).fill(2 ** 40), 9, first, first, 12, 13, second, second, 16, 17, 18, 19, 20, 21])
})

const vision = new URL('../fixtures/vision/', import.meta.url)
const configOf = (name: string) => parseConfig(JSON.parse(readFileSync(new URL(`${name}/config.json`, vision), 'utf8')))

/** What a device is told while rows `from`..`to` of the prompt are shown. */
function told(seen: Seen, config: Config, from: number, to: number) {
  const copies: unknown[][] = []
  const tables: unknown[][] = []
  const device = {
    queue: { writeBuffer: (...told: unknown[]) => tables.push(told), submit: () => {} },
    createCommandEncoder: () => ({ copyBufferToBuffer: (...told: unknown[]) => copies.push(told), finish: () => {} }),
  } as unknown as GPUDevice
  const rows: Row[] = Array.from({ length: to - from }, (_, at) => ({ token: 50 + at, position: from + at, slot: 0 }))
  seen.show(rows, { device, config, h, rope, line: 1000 })
  return { copies, tables, rows }
}
const [h, rope] = ['h', 'rope'] as unknown as [GPUBuffer, GPUBuffer]

describe.each(['glm4v', 'glm46v', 'glm_ocr'])('%s', (name) => {
  const config = configOf(name)
  const seen = seenOf(segments, { pictures: [picture], videos: [clip], merge: 2 })
  const [bytes, stride] = [config.hidden * 4, Math.ceil(config.hidden / 32) * 32 * 4]
  /** Rows `row`.. of a source to rows `to`.. of h: at once where rows have no filling. */
  const copied = (source: GPUBuffer, row: number, to: number, count: number) =>
    bytes === stride
      ? [[source, row * bytes, h, to * stride, count * bytes]]
      : Array.from({ length: count }, (_, next) => [source, (row + next) * bytes, h, (to + next) * stride, bytes])

  it('each chunk has the rows of what stands in it', () => {
    const whole = [...copied(picture.rows, 0, 3, 6), ...copied(clip.rows, 5, 10, 2), ...copied(clip.rows, 7, 14, 2)]
    expect(told(seen, config, 0, 20).copies).toEqual(whole)
    expect(told(seen, config, 5, 11).copies).toEqual([...copied(picture.rows, 2, 0, 4), ...copied(clip.rows, 5, 5, 1)])
    expect(told(seen, config, 0, 3).copies).toEqual([])
    expect(told(seen, config, 16, 20).copies).toEqual([])
    const { rows } = told(seen, config, 7, 13)
    expect(rows.map(({ token }) => token)).toEqual([noToken, noToken, 52, noToken, noToken, 55])
  })

  it('rows turn by lines of their own, each frequency by the axis of its section', () => {
    const { tables, rows } = told(seen, config, 2, 18)
    const [[buffer, offset, table]] = tables as [[unknown, number, Float32Array]]
    expect([buffer, offset]).toEqual([rope, 1000 * config.rotary * 4])
    expect(rows.map(({ turn }) => turn)).toEqual(rows.map((_, at) => 1000 + at))
    const [time, row] = config.sections!
    const { ids, tokens } = seen.positions!
    const half = config.rotary / 2
    expect(table).toHaveLength(16 * config.rotary)
    for (let line = 0; line < 16; line++) {
      for (let index = 0; index < half; index++) {
        const position = ids[(index < time ? 0 : index < time + row ? 1 : 2) * tokens + 2 + line]!
        const angle = position * config.theta ** ((-2 * index) / config.rotary)
        const at = (line * half + index) * 2
        expect([table[at], table[at + 1]]).toEqual([Math.fround(Math.cos(angle)), Math.fround(Math.sin(angle))])
      }
    }
  })
})

it('without M-RoPE rows turn as words do', () => {
  const { tables, rows, copies } = told(seenOf(segments, { pictures: [picture], videos: [clip] }), configOf('glm_edge_v'), 0, 20)
  expect([tables, rows.some(({ turn }) => turn !== undefined), copies.length]).toEqual([[], false, 3])
})
