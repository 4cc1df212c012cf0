// What a prompt shows beside its words: rows of a vision tower in the place of tokens, and three positions for every token where the model has
// M-RoPE. Not part of the core: an engine that sees brings it along with the tower.
import type { Config } from './config.ts'
import { type Grid, type Positions, positionsOf } from './mrope.ts'
import type { Segment } from './placeholders.ts'
import { ropeTable } from './rope.ts'
import { noToken, type Row } from './rows.ts'
import { padded } from './sizes.ts'

/** A picture, or a step of a video, as tokens of a prompt. */
export interface Sight {
  /** Place of its first token in the prompt, and how many there are. */
  at: number
  tokens: number
  /** Their embeddings: [rows, hidden] in f32, from row `row` on. Whoever runs the prompt keeps it until that is over. */
  rows: GPUBuffer
  row: number
  /** What the cache of pages compares in place of a token id: one number for one content and grid, 2 ** 32 and more. */
  key: number
}

/** What of a decoder a prompt is shown to, ahead of a pass. */
export interface Canvas {
  device: GPUDevice
  config: Config
  /** [rows of the pass, hidden filled up to groups of 32] */
  h: GPUBuffer
  /** The rope table, and its first line behind the positions: there is one for each row of a pass. */
  rope: GPUBuffer
  line: number
}

export class Seen {
  readonly sights: readonly Sight[]
  readonly positions: Positions | undefined

  /** `sights` in the order of the prompt; `positions` of every token of it, absent in models whose pictures count like words. */
  constructor(sights: readonly Sight[], positions?: Positions) {
    this.sights = sights
    this.positions = positions
  }

  /** What is added to a place behind the prompt to get its line of the rope table. */
  get delta(): number {
    return this.positions?.delta ?? 0
  }

  /** What a sequence's pages are compared by: its tokens, but for those of pictures. */
  keys(tokens: readonly number[]): number[] {
    const keys = [...tokens]
    for (const { at, tokens: count, key } of this.sights) keys.fill(key, at, at + count)
    return keys
  }

  /** Brings what is shown into the next pass, over neighbouring rows of the prompt: those of pictures are embedded by it, and all turn by lines of their own. */
  show(rows: Row[], canvas: Canvas): void {
    this.#turn(rows, canvas)
    const { device, config, h } = canvas
    const start = rows[0]!.position
    const encoder = device.createCommandEncoder()
    const [bytes, stride] = [config.hidden * 4, padded(config.hidden) * 4]
    for (const { at, tokens, rows: source, row } of this.sights) {
      const from = Math.max(at, start)
      const own = rows.slice(from - start, Math.max(from, at + tokens) - start)
      if (own.length === 0) continue
      for (const one of own) one.token = noToken
      // A row's filling is nought already, and stays so.
      const count = bytes === stride ? own.length : 1
      for (let next = 0; next < own.length; next += count) {
        encoder.copyBufferToBuffer(source, (row + from - at + next) * bytes, h, (from - start + next) * stride, count * bytes)
      }
    }
    device.queue.submit([encoder.finish()])
  }

  /** Frequencies in their order turn by the first section's axis (time), then by the second's (row), then by the third's (column). */
  #turn(rows: Row[], { device, config, rope, line }: Canvas): void {
    if (!this.positions) return
    const { ids, tokens } = this.positions
    const axes = config.sections!.flatMap((size, axis) => Array<number>(size).fill(axis))
    const table = ropeTable(config, rows.length, (row, index) => ids[axes[index]! * tokens + rows[row]!.position]!)
    device.queue.writeBuffer(rope, line * config.rotary * 4, table)
    for (const [index, row] of rows.entries()) row.turn = line + index
  }
}

/** What a vision tower made of a picture or a clip. */
export interface Encoded extends Pick<Sight, 'rows' | 'row' | 'key'> {
  /** In patches. The steps of a clip stand one behind the other from `row` on, and add to its key. */
  grid: Grid
}

/** What an expanded prompt shows (placeholders.ts). `merge`: patches along a side that become one token; absent where the model has no M-RoPE. */
export function seenOf(
  segments: readonly Segment[],
  { pictures, videos, merge }: { pictures: readonly Encoded[]; videos: readonly Encoded[]; merge?: number | undefined },
): Seen {
  const sights: Sight[] = []
  const runs = segments.map((segment) => {
    const { kind, at, tokens } = segment
    if (kind === 'text') return { tokens }
    const step = kind === 'step' ? segment.step : 0
    const { rows, row, key, grid } = kind === 'step' ? videos[segment.video]! : pictures[segment.picture]!
    sights.push({ at, tokens, rows, row: row + step * tokens, key: key + step })
    return { grid: [1, grid[1], grid[2]] as const }
  })
  return new Seen(sights, merge ? positionsOf(runs, merge) : undefined)
}
