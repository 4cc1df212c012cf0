// Live: camera, microphone and screen roll in as lanes of one LiveTimeline, with each clock's offset and drift; stopped, what was kept becomes lanes of a file's kind.
import {
  type Capture,
  type LiveCell,
  LiveTimeline,
  type LiveTrackReport,
  openCamera,
  openMicrophone,
  openScreen,
  toSeconds,
} from 'glm-webgpu'
import { inEveryLanguage, say } from './language.ts'
import { freeId, type Source } from './timeline-lane.ts'
import { Noise, Pictures } from './timeline-live-lanes.ts'
import { type Cells, clear, now, planChanged, view, viewChanged } from './timeline-state.ts'
import { make, number, part } from './view.ts'

export type Device = 'camera' | 'microphone' | 'screen'

/** Cells a second, seconds on show, seconds kept. */
const RATE = 10
const SHOWN = 12
const KEPT = 120

const openers = { camera: openCamera, microphone: openMicrophone, screen: openScreen }

interface Session {
  live: LiveTimeline
  captures: Capture[]
  lanes: Map<string, Pictures | Noise>
  records: LiveCell[]
  timers: ReturnType<typeof setInterval>[]
}

let session: Session | undefined

export function startLive(): void {
  part('timeline-stop').addEventListener('click', () => stopLive(true))
  inEveryLanguage(writeReport)
}

/** Opens a device beside those that run. */
export async function addDevice(device: Device, signal: AbortSignal): Promise<void> {
  const capture = await openers[device]({ signal })
  if (signal.aborted) return capture.close()
  session ??= begin()
  const mine = session
  mine.captures.push(capture)
  const id = freeId(device, [...mine.lanes.keys()])
  const from = capture.stream.getTracks()[0]?.label ?? device
  mine.lanes.set(id, device === 'microphone' ? new Noise(id, from) : new Pictures(id, from, 1 / RATE))
  try {
    await capture.feed(mine.live, id, { fps: RATE })
  } catch (error) {
    mine.lanes.delete(id)
    if (mine.lanes.size === 0) stopLive(false)
    throw error
  }
  void capture.ended.then(() => {
    if (session === mine && mine.captures.every((one) => one.stream.getTracks().every(({ readyState }) => readyState === 'ended')))
      stopLive(true)
  })
  now.lanes = [...mine.lanes.values()].map(({ lane }) => lane)
  planChanged()
}

function begin(): Session {
  clear()
  now.live = true
  const made: Session = {
    live: new LiveTimeline({
      rate: RATE,
      onCell: (cell) => take(made, cell),
      onRelease: (_, value) => {
        if (typeof VideoFrame !== 'undefined' && value instanceof VideoFrame) value.close()
      },
    }),
    captures: [],
    lanes: new Map(),
    records: [],
    timers: [],
  }
  const calm = matchMedia('(prefers-reduced-motion: reduce)').matches
  made.timers = [
    setInterval(() => made.live.advance(), 100),
    setInterval(() => roll(made), calm ? 1000 : 100),
    setInterval(writeReport, 500),
  ]
  return made
}

/** Gives all devices back; what was kept becomes lanes, or nothing does. */
export function stopLive(keep: boolean): void {
  if (!session) return
  const { live, captures, lanes, timers } = session
  for (const timer of timers) clearInterval(timer)
  live.close() // before the captures, which close what is still open
  for (const capture of captures) capture.close()
  session = undefined
  now.live = false
  const kept = [...lanes.values()]
  const full = kept.filter(({ lane }) => lane.count > 0)
  for (const one of kept) if (!keep || !full.includes(one)) one.close()
  clear()
  if (keep && full.length > 0) stopped(full.map((one): Source => ({ lanes: [one.lane], warnings: [], close: () => one.close() })))
}

let stopped: (sources: Source[]) => void = () => {}

/** Told what a recording has left. */
export function onStopped(listener: (sources: Source[]) => void): void {
  stopped = listener
}

function take({ lanes, records }: Session, cell: LiveCell): void {
  records.push(cell)
  for (const [id, { value, error, valid }] of Object.entries(cell.tracks)) {
    if (valid) lanes.get(id)?.take(value, cell.time + toSeconds(error))
    cell.tracks[id] = { value: undefined, error, valid } // frames are closed soon
  }
  const past = cell.time - KEPT
  while (records[0] && records[0].time < past) records.shift()
  for (const lane of lanes.values()) lane.trim(past)
}

function roll({ records, lanes }: Session): void {
  const last = records.at(-1)
  if (!last) return
  now.cells = cellsOf(records, [...lanes.keys()])
  now.extent = [records[0]!.time, now.cells.end]
  Object.assign(view, { from: now.cells.end - SHOWN, span: SHOWN })
  now.playhead = now.cells.end
  part('timeline-page').dataset.cells = String(records.length)
  viewChanged()
}

function cellsOf(records: readonly LiveCell[], ids: string[]): Cells {
  const tracks = ids.map((id) => {
    const mask = records.map(({ tracks }) => (tracks[id]?.valid ? 1 : 0))
    return [id, { mask, error: records.map(({ tracks }) => tracks[id]?.error ?? 0), index: mask }] as const
  })
  return { times: records.map(({ time }) => time), end: records.at(-1)!.time + 1 / RATE, tracks: Object.fromEntries(tracks) }
}

/** A row for each device: its cells and errors, and where its clock stands. */
function writeReport(): void {
  if (!session) return
  const { tracks, cells } = session.live.report
  part('timeline-live-cells').textContent = say('timelineLiveCells', { cells: number(cells), seconds: number(KEPT) })
  part('timeline-live-rows').replaceChildren(
    ...Object.entries(tracks).map(([id, report]) => {
      const row = make('tr', {}, make('th', { scope: 'row', textContent: id }))
      for (const [name, text] of Object.entries(figures(report))) {
        const cell = make('td', { className: 'value', textContent: text })
        cell.dataset.testid = `live-${name}-${id}`
        row.append(cell)
      }
      return row
    }),
  )
}

function figures({ pushed, missing, late, error, clock, discontinuities }: LiveTrackReport): Record<string, string> {
  const about = (value: number, off: number, unit: string) =>
    Number.isFinite(off) ? `${signed(value)} ± ${number(off, 1)} ${unit}` : say('timelineSoon')
  return {
    pushed: number(pushed),
    missing: number(missing),
    late: number(late),
    error: `${number(error.p95, 1)} ms`,
    offset: about(clock.offset, clock.offsetError, 'ms'),
    drift: about(clock.skewPpm, clock.skewError, 'ppm'),
    leaps: number(discontinuities),
  }
}

/** Without a minus before zero. */
function signed(value: number): string {
  return number(Math.round(value * 10) / 10 + 0, 1).replace('-', '−')
}
