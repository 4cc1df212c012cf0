// One cell told in words and a picture: the one under the pointer, else the playhead's. What serves each lane, its time, and how far off it is.
import { type PlannedTrack, toSeconds } from 'glm-webgpu'
import { inEveryLanguage, language, say } from './language.ts'
import type { Lane } from './timeline-lane.ts'
import { onHover } from './timeline-lanes.ts'
import { cellAt, now, onPlan, onView } from './timeline-state.ts'
import type { Shown } from './timeline-thumbs.ts'
import { make, number, part } from './view.ts'

const preview = part<HTMLCanvasElement>('timeline-preview')
const ruler = part('timeline-ruler')
let hovered = -1
let busy = false
/** What stands in the preview, or is on its way there. */
let seen: { lane: Lane; index: number } | undefined

export function startCell(): void {
  onPlan(write)
  onView(write)
  onHover((cell) => {
    if (hovered === cell) return
    hovered = cell
    write()
  })
  inEveryLanguage(write)
}

/** A picture straight into the preview; it stays its owner's. */
export function showPicture(picture: CanvasImageSource, width: number, height: number): void {
  const scale = Math.min(1, 640 / Math.max(width, height, 1))
  Object.assign(preview, { width: Math.max(1, Math.round(width * scale)), height: Math.max(1, Math.round(height * scale)) })
  preview.getContext('2d')!.drawImage(picture, 0, 0, preview.width, preview.height)
  preview.hidden = false
}

/** The frame that a picture lane has for the playhead's cell, -1 for none. */
export function frameAt(lane: Lane, cell: number): number {
  const track = now.plan?.tracks[lane.id]
  return track && cell >= 0 && track.mask[cell] ? track.index[cell]! : -1
}

export const pictureLane = (): Lane | undefined => now.lanes.find(({ content }) => content.kind === 'video')

function write(): void {
  const { plan, cells } = now
  if (now.live) return
  const cell = hovered >= 0 && hovered < (cells?.times.length ?? 0) ? hovered : cellAt(now.playhead)
  const playing = cellAt(now.playhead)
  ruler.ariaValueMin = String(now.extent[0])
  ruler.ariaValueMax = String(now.extent[1])
  ruler.ariaValueNow = now.playhead.toFixed(3)
  ruler.ariaValueText = playing < 0 ? seconds(now.playhead) : [heading(playing), ...rows(playing).map((row) => row.join(' '))].join('; ')
  part('timeline-cell').dataset.cell = String(cell)
  part('timeline-cell-heading').textContent = cell < 0 ? say('timelineNoCell', { time: seconds(now.playhead) }) : heading(cell)
  part('timeline-cell-rows').replaceChildren(
    ...(plan && cell >= 0 ? rows(cell) : []).map(([lane, what, time, error]) => {
      const first = make('th', { scope: 'row', textContent: lane! })
      const made = make('tr', {}, first, ...[what!, time!, error!].map((text) => make('td', { textContent: text })))
      made.dataset.testid = `cell-${lane}`
      made.dataset.missing = String(time === '')
      return made
    }),
  )
  void look(cell)
}

function heading(cell: number): string {
  const { times, end, labels } = now.cells!
  const slots = { cell: number(cell), from: seconds(times[cell]!), to: seconds(times[cell + 1] ?? end) }
  const label = labels?.[cell]
  return label === undefined ? say('timelineCell', slots) : say('timelineCellLabel', { ...slots, label })
}

/** Lane, what serves, its time, its error. */
function rows(cell: number): string[][] {
  return now.lanes.map((lane) => {
    const track = now.plan?.tracks[lane.id]
    if (!track?.mask[cell]) return [lane.id, say('timelineMissing'), '', '']
    if (track.index[cell]! < 0) return [lane.id, say('timelineZero'), '', '']
    const error = toSeconds(track.error[cell]!)
    return [lane.id, what(lane, track, cell), seconds(now.cells!.times[cell]! + error), milliseconds(error)]
  })
}

function what({ content }: Lane, track: PlannedTrack, cell: number): string {
  const { index, right, weight, from, to, offsets, ids } = track
  const many = offsets && ids ? [...ids.subarray(offsets[cell], offsets[cell + 1])] : [index[cell]!]
  if (content.kind === 'text') return many.map((id) => content.cues[id]?.text ?? '').join(' · ')
  if (content.kind === 'event') return many.map((id) => content.marks[id]?.text ?? '').join(' · ')
  const [single, several] =
    content.kind === 'video' ? (['timelineFrame', 'timelineFrames'] as const) : (['timelineSample', 'timelineSamples'] as const)
  const count = from && to ? to[cell]! - from[cell]! : 1
  if (count > 1) return say(several, { from: number(from![cell]!), to: number(to![cell]! - 1), count: number(count) })
  const one = say(single, { index: number(index[cell]!) })
  return right && right[cell]! >= 0
    ? say('timelineMixed', { one, share: String(Math.round(weight[cell]! * 100)), other: number(right[cell]!) })
    : one
}

/** One decoder at a time: what was passed over meanwhile is not shown. */
async function look(cell: number): Promise<void> {
  const lane = pictureLane()
  if (lane?.content.kind !== 'video') {
    preview.hidden = true
    seen = undefined
    return
  }
  preview.hidden = false
  const index = frameAt(lane, cell)
  preview.dataset.frame = String(index)
  if (now.playing) seen = undefined
  if (index < 0 && !now.playing) {
    seen = undefined
    preview.getContext('2d')!.clearRect(0, 0, preview.width, preview.height)
  }
  if (index < 0 || busy || (seen?.lane === lane && seen.index === index) || now.playing) return
  busy = true
  seen = { lane, index }
  const controller = new AbortController()
  try {
    for await (const frame of lane.content.thumbs.frames([index], controller.signal)) showShown(frame)
  } catch {
    // It stays what it was; the table does not need it.
  }
  busy = false
  write()
}

/** Shows a frame and closes it. */
export function showShown(frame: Shown): void {
  const { displayWidth, displayHeight, width, height } = frame as {
    displayWidth?: number
    displayHeight?: number
    width?: number
    height?: number
  }
  showPicture(frame, displayWidth ?? width ?? 1, displayHeight ?? height ?? 1)
  frame.close?.()
}

export function seconds(value: number): string {
  return `${new Intl.NumberFormat(language(), { minimumFractionDigits: 3, maximumFractionDigits: 3 }).format(value).replace('-', '−')} s`
}

export function milliseconds(value: number): string {
  const text = new Intl.NumberFormat(language(), { minimumFractionDigits: 1, maximumFractionDigits: 1, signDisplay: 'exceptZero' })
  return `${text.format(value * 1000).replace('-', '−')} ms`
}
