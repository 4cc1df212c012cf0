// Small pictures and clips of shapes and digits, drawn as those that Pocket V was trained on: what its examples show.
import type { Attachment, Clip } from './attach-item.ts'
import { make } from './view.ts'

const SIDE = 112

const colours = {
  red: '#dc1e23',
  orange: '#f58714',
  yellow: '#f5d71e',
  green: '#28a03c',
  blue: '#2350d7',
  purple: '#8732af',
  black: '#141414',
}

/** Corners in a box from -1 to 1. */
const corners: Record<'square' | 'triangle' | 'star' | 'cross', [number, number][]> = {
  square: [
    [-0.84, -0.84],
    [0.84, -0.84],
    [0.84, 0.84],
    [-0.84, 0.84],
  ],
  triangle: [
    [0, -0.95],
    [0.97, 0.78],
    [-0.97, 0.78],
  ],
  star: Array.from({ length: 10 }, (_, i) => {
    const [radius, angle] = [i % 2 === 0 ? 1 : 0.45, (Math.PI * i) / 5]
    return [radius * Math.sin(angle), -radius * Math.cos(angle)]
  }),
  cross: [
    [-0.32, -0.95],
    [0.32, -0.95],
    [0.32, -0.32],
    [0.95, -0.32],
    [0.95, 0.32],
    [0.32, 0.32],
    [0.32, 0.95],
    [-0.32, 0.95],
    [-0.32, 0.32],
    [-0.95, 0.32],
    [-0.95, -0.32],
    [-0.32, -0.32],
  ],
}

/** Strokes in a box of 1 x 1.6, y down: digits of straight lines, as Pocket V knows them. */
const strokes: Record<1 | 4 | 7, [number, number][]> = {
  1: [
    [0.2, 0.35],
    [0.58, 0],
    [0.58, 1.6],
  ],
  4: [
    [0.72, 1.6],
    [0.72, 0],
    [0, 1.1],
    [1, 1.1],
  ],
  7: [
    [0, 0],
    [1, 0],
    [0.38, 1.6],
  ],
}
const weight = 0.34

export interface Thing {
  /** A shape, or a digit. */
  kind: 'circle' | keyof typeof corners | keyof typeof strokes
  colour: keyof typeof colours
  /** 0 to 8, row by row. */
  place: number
  /** In pixels; default 28. */
  size?: number
  /** Steps of a clip from which on and before which it is there. */
  first?: number
  last?: number
  /** Pixels that it moves in a step, across and down. */
  way?: [number, number]
}

export interface Scene {
  name: string
  things: readonly Thing[]
  /** Of a clip: when each step is, in seconds. */
  times?: readonly number[]
}

/** The scene as it is attached to a message. */
export async function sceneAttachment({ name, things, times }: Scene): Promise<Attachment> {
  const size = { width: SIDE, height: SIDE }
  const thumb = drawScene(things, middle(times))
  thumb.role = 'img'
  if (!times) {
    const blob = await new Promise<Blob | null>((resolve) => thumb.toBlob(resolve, 'image/png'))
    return { kind: 'picture', name: `${name}.png`, source: blob!, ...size, thumb, duration: 0 }
  }
  return { kind: 'video', name, source: clipOf(things, times), ...size, thumb, duration: times.at(-1)! + pace(times) }
}

/** Two frames for each step, the second halfway to the next. */
function clipOf(things: readonly Thing[], times: readonly number[]): Clip {
  const halves = times.flatMap((_, step) => [step, step + 0.5])
  const seconds = times.flatMap((time, step) => [time, (time + (times[step + 1] ?? time + pace(times))) / 2])
  return { frames: halves.map((step) => drawScene(things, step)), times: seconds }
}

const pace = (times: readonly number[]): number => (times.at(-1)! - times[0]!) / Math.max(1, times.length - 1)

/** The step that stands for a clip where only one frame is shown. */
export const middle = (times: Scene['times']): number => Math.floor((times?.length ?? 0) / 2)

export function drawScene(things: readonly Thing[], step: number): HTMLCanvasElement {
  const canvas = make('canvas', { width: SIDE, height: SIDE })
  const context = canvas.getContext('2d')!
  context.fillStyle = '#f4f4f2'
  context.fillRect(0, 0, SIDE, SIDE)
  for (const thing of things) if ((thing.first ?? 0) <= step && step < (thing.last ?? Number.POSITIVE_INFINITY)) paint(context, thing, step)
  return canvas
}

function paint(context: CanvasRenderingContext2D, { kind, colour, place, size = 28, first = 0, way = [0, 0] }: Thing, step: number): void {
  const at = (third: number, far: number) => (SIDE / 6) * (2 * third + 1) + far * (step - first)
  context.save()
  context.translate(at(place % 3, way[0]), at(Math.floor(place / 3), way[1]))
  context.fillStyle = context.strokeStyle = colours[colour]
  context.beginPath()
  if (typeof kind === 'number') digit(context, kind, size)
  else shape(context, kind, size / 2)
  context.restore()
}

function shape(context: CanvasRenderingContext2D, kind: 'circle' | keyof typeof corners, radius: number): void {
  if (kind === 'circle') context.arc(0, 0, 0.96 * radius, 0, 2 * Math.PI)
  else for (const [x, y] of corners[kind]) context.lineTo(x * radius, y * radius)
  context.fill()
}

function digit(context: CanvasRenderingContext2D, value: keyof typeof strokes, height: number): void {
  const scale = height / (1.6 + weight)
  context.lineWidth = weight * scale
  context.lineCap = context.lineJoin = 'round'
  for (const [x, y] of strokes[value]) context.lineTo((x - 0.5) * scale, (y - 0.8) * scale)
  context.stroke()
}
