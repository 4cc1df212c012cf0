// How lanes are drawn: only what is on show, at the screen's own pixels. The content of each kind first, then cells, what is missing, and errors.
import { toSeconds } from 'glm-webgpu'
import { colors } from './timeline-colors.ts'
import type { Content, Lane } from './timeline-lane.ts'
import { type Cells, lastAt, now, shiftOf, view } from './timeline-state.ts'

/** Heights in CSS pixels. */
export const heights: Record<Content['kind'], number> = { video: 72, audio: 56, text: 34, event: 34 }
export const MEL = 40
export const STRIP = 10
const GAP = 3
/** Cells narrower than this are not drawn one by one. */
const LEAST_CELL = 5

/** A canvas that has the size of its place. */
export interface Sheet {
  pen: CanvasRenderingContext2D
  width: number
  height: number
}

/** Fits the canvas to its place and clears it; undefined where it is not on show. */
export function sheet(canvas: HTMLCanvasElement): Sheet | undefined {
  const { clientWidth: width, clientHeight: height } = canvas
  if (width === 0 || height === 0) return undefined
  const [across, down] = [Math.round(width * devicePixelRatio), Math.round(height * devicePixelRatio)]
  if (canvas.width !== across || canvas.height !== down) Object.assign(canvas, { width: across, height: down })
  const pen = canvas.getContext('2d')!
  pen.setTransform(across / width, 0, 0, down / height, 0, 0)
  pen.clearRect(0, 0, width, height)
  pen.font = colors().font
  return { pen, width, height }
}

export function xOf(time: number, width: number): number {
  return ((time - view.from) / view.span) * width
}

export function timeAt(x: number, width: number): number {
  return view.from + (x / width) * view.span
}

export function heightOf({ content }: Lane): number {
  const mel = content.kind === 'audio' && content.wave.mel.length > 0 ? MEL : 0
  return heights[content.kind] + mel + GAP + STRIP
}

/** `arrived` is called when a picture has come that was not there. */
export function drawLane(canvas: HTMLCanvasElement, lane: Lane, arrived: () => void): void {
  const on = sheet(canvas)
  if (!on) return
  const { content } = lane
  const shift = shiftOf(lane)
  const bottom = on.height - GAP - STRIP
  if (content.kind === 'video') drawVideo(on, content, shift, bottom, arrived)
  else if (content.kind === 'audio') drawAudio(on, content, shift)
  else if (content.kind === 'text') drawCues(on, content, shift, bottom)
  else drawMarks(on, content, shift, bottom)
  const { cells } = now
  if (cells) drawCells(on, cells, cells.tracks[lane.id], bottom)
}

function drawVideo(
  { pen, width }: Sheet,
  { times, end, thumbs }: Content & { kind: 'video' },
  shift: number,
  bottom: number,
  arrived: () => void,
): void {
  if (times.length === 0) return // live, before the first
  const wide = Math.max(24, bottom * thumbs.aspect)
  const step = (wide / width) * view.span
  const wanted: number[] = []
  pen.fillStyle = colors().raised
  const [left, right] = [xOf(times[0]! + shift, width), xOf(end + shift, width)]
  pen.fillRect(Math.max(0, left), 0, Math.min(width, right) - Math.max(0, left), bottom)
  pen.save()
  pen.beginPath()
  pen.rect(left, 0, right - left, bottom)
  pen.clip()
  // Places count from the track's start, so that they stay where they are while the view moves.
  const first = Math.max(0, Math.floor((view.from - shift - times[0]!) / step))
  for (let k = first; ; k++) {
    const time = times[0]! + k * step
    if (time >= end || time + shift > view.from + view.span) break
    const index = Math.max(0, lastAt(times, time + 1e-6))
    wanted.push(index)
    const picture = thumbs.get(index)
    if (picture) pen.drawImage(picture, xOf(time + shift, width), 0, wide - 1, bottom)
  }
  pen.restore()
  thumbs.want(wanted, arrived)
}

function drawAudio({ pen, width }: Sheet, { wave, start, end }: Content & { kind: 'audio' }, shift: number): void {
  const tall = heights.audio
  const middle = tall / 2
  const [left, right] = [Math.max(0, xOf(start + shift, width)), Math.min(width, xOf(end + shift, width))]
  pen.fillStyle = colors().raised
  pen.fillRect(left, 0, Math.max(0, right - left), tall)
  pen.fillStyle = colors().accent
  const step = 1 / devicePixelRatio
  for (let x = Math.floor(left); x < right; x += step) {
    const peaks = wave.peaks(timeAt(x, width) - shift, timeAt(x + step, width) - shift)
    if (!peaks) continue
    const [low, high] = peaks.map((value) => Math.min(1, Math.max(-1, value))) as [number, number]
    pen.fillRect(x, middle - high * (middle - 2) - 0.5, step, (high - low) * (middle - 2) + 1)
  }
  pen.imageSmoothingEnabled = true
  for (const { start: from, end: to, picture } of wave.mel) {
    const [a, b] = [xOf(from + shift, width), xOf(to + shift, width)]
    if (b > 0 && a < width) pen.drawImage(picture, a, tall + 1, b - a, MEL - 1)
  }
}

function drawCues({ pen, width }: Sheet, { cues }: Content & { kind: 'text' }, shift: number, bottom: number): void {
  const { raised, accent, ink } = colors()
  for (const { start, end, text } of cues) {
    const [left, right] = [xOf(start + shift, width), xOf(end + shift, width)]
    if (right < 0 || left > width) continue
    box(pen, left, right, bottom, raised, accent)
    if (right - left > 24) write(pen, text.replaceAll('\n', ' '), Math.max(left, 0) + 6, right - 4, bottom / 2, ink)
  }
}

function drawMarks({ pen, width }: Sheet, { marks }: Content & { kind: 'event' }, shift: number, bottom: number): void {
  const { accent, ink } = colors()
  marks.forEach(({ time, text }, k) => {
    const x = xOf(time + shift, width)
    if (x < -200 || x > width) return
    pen.fillStyle = accent
    pen.fillRect(x - 0.5, 0, 1.5, bottom)
    pen.beginPath()
    pen.moveTo(x, 0)
    pen.lineTo(x + 7, 5)
    pen.lineTo(x, 10)
    pen.fill()
    const next = marks[k + 1] ? xOf(marks[k + 1]!.time + shift, width) : width
    if (next - x > 20) write(pen, text, x + 9, next - 4, bottom / 2 + 2, ink)
  })
}

function box(pen: CanvasRenderingContext2D, left: number, right: number, bottom: number, fill: string, edge: string): void {
  pen.fillStyle = fill
  pen.fillRect(left, 1, Math.max(1, right - left - 1), bottom - 2)
  pen.fillStyle = edge
  pen.fillRect(left, 1, 2, bottom - 2)
}

function write(pen: CanvasRenderingContext2D, text: string, left: number, right: number, y: number, color: string): void {
  pen.save()
  pen.beginPath()
  pen.rect(left, 0, right - left, y * 2)
  pen.clip()
  pen.fillStyle = color
  pen.textBaseline = 'middle'
  pen.fillText(text, left, y)
  pen.restore()
}

/** Starts of cells as lines, what is missing hatched, and below it the error of each. */
function drawCells({ pen, width, height }: Sheet, cells: Cells, track: Cells['tracks'][string] | undefined, bottom: number): void {
  if (!track) return
  const { times, end } = cells
  const first = Math.max(0, lastAt(times, view.from))
  const last = lastAt(times, view.from + view.span)
  const { errors, hatch, line } = colors()
  const half = times.length === 0 ? 1 : (end - times[0]!) / times.length / 2
  const top = height - STRIP
  for (let k = first; k <= last; ) {
    // What falls on one pixel is drawn once: its largest error, and what is missing below it.
    const from = xOf(times[k]!, width)
    let [valid, missing, worst, to] = [0, 0, 0, from]
    do {
      if (track.mask[k]) {
        valid++
        worst = Math.max(worst, Math.abs(track.error[k]!))
      } else missing++
      to = xOf(k + 1 < times.length ? times[k + 1]! : end, width)
      k++
    } while (k <= last && to - from < 1)
    const wide = Math.max(1, to - from)
    if (valid > 0) {
      pen.fillStyle = errors[Math.min(15, Math.round((toSeconds(worst) / half) * 15))]!
      pen.fillRect(from, top, to - from > LEAST_CELL ? wide - 1 : wide, missing > 0 ? STRIP / 2 : STRIP)
    }
    if (missing > 0) {
      pen.fillStyle = hatch
      pen.fillRect(from, valid > 0 ? top + STRIP / 2 : top, wide, valid > 0 ? STRIP / 2 : STRIP)
      if (missing > valid) pen.fillRect(from, 0, wide, bottom)
    }
    if (to - from > LEAST_CELL) {
      pen.fillStyle = line
      pen.globalAlpha = 0.7
      pen.fillRect(from - 0.5, 0, 1, bottom)
      pen.globalAlpha = 1
    }
  }
}

const steps = [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1800, 3600]

/** Seconds above, the starts of cells below. */
export function drawRuler(canvas: HTMLCanvasElement): void {
  const on = sheet(canvas)
  if (!on) return
  const { pen, width, height } = on
  const { muted, line, accent } = colors()
  const step = steps.find((one) => (one / view.span) * width > 64) ?? 7200
  pen.textBaseline = 'top'
  for (let k = Math.ceil(view.from / step); k * step <= view.from + view.span; k++) {
    const x = xOf(k * step, width)
    pen.fillStyle = line
    pen.fillRect(x - 0.5, 0, 1, height)
    pen.fillStyle = muted
    if (x + 40 < width) pen.fillText(clock(k * step, step), x + 4, 3)
  }
  const times = now.cells?.times ?? []
  const first = Math.max(0, lastAt(times, view.from))
  const last = lastAt(times, view.from + view.span)
  pen.fillStyle = accent
  if (last - first > width / 3) {
    const [left, right] = [xOf(times[first]!, width), xOf(times[last]!, width)]
    pen.fillRect(left, height - 3, right - left, 3)
  } else for (let k = first; k <= last; k++) pen.fillRect(xOf(times[k]!, width) - 0.5, height - 7, 1, 7)
}

/** 75.5 is 1:15.5; as many digits as a step of it needs. */
export function clock(time: number, step: number): string {
  const digits = Math.max(0, Math.ceil(-Math.log10(step) - 1e-9))
  const size = Math.abs(time)
  const sign = time < 0 && size >= 10 ** -digits / 2 ? '−' : ''
  const whole = Number(size.toFixed(digits))
  const minutes = Math.floor(whole / 60)
  const rest = (whole - minutes * 60).toFixed(digits).padStart(digits > 0 ? digits + 3 : 2, '0')
  const hours = Math.floor(minutes / 60)
  return `${sign}${hours > 0 ? `${hours}:${String(minutes % 60).padStart(2, '0')}` : minutes}:${rest}`
}
