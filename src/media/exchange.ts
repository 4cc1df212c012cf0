// A plan on paper: JSON that comes back exactly, WebVTT and CSV to look at. What comes in is not trusted: sizes, ranges and order are checked first.
import { GlmError } from '../errors.ts'
import type { Axis } from './axes.ts'
import { cellChecks } from './checks.ts'
import { writeCues } from './cues.ts'
import { cellEnd, type Plan, type PlannedTrack } from './plan.ts'
import { cellReport, spanOf } from './report.ts'
import { toSeconds } from './ticks.ts'

const MAX_CHARACTERS = 2 ** 28
const FORMAT = 'glm-webgpu plan'

/** A plan as JSON text; infinite tolerances are null. */
export function exportPlan(plan: Plan): string {
  const arrays = (_key: string, value: unknown) => (ArrayBuffer.isView(value) ? Array.from(value as Int32Array) : value)
  return JSON.stringify({ format: FORMAT, ...plan }, arrays)
}

/** A plan from JSON text or what it parses to. Coverage and errors in the report are counted anew from the cells. */
export function importPlan(given: unknown): Plan {
  const plan = cellChecks(FORMAT, typeof given === 'string' ? parsed(given) : given)
  for (const [id, track] of Object.entries(plan.tracks)) Object.assign(plan.report.tracks[id]!, cellReport(track))
  plan.report.span = spanOf(Object.values(plan.tracks), plan.axis)
  plan.report.cells = plan.axis.times.length
  return plan
}

/** A cue for each cell: its label, and what each track has for it with the error in ms. */
export function planToWebVTT(plan: Plan): string {
  return writeCues(cells(plan.axis, (k) => lines(plan, k)))
}

/** A row for each cell: number, start, end, label, then index, valid, weight and error in ms of each track. */
export function planToCSV(plan: Plan): string {
  const tracks = Object.entries(plan.tracks)
  const head = [
    'cell',
    'start_s',
    'end_s',
    'label',
    ...tracks.flatMap(([id]) => ['index', 'valid', 'weight', 'error_ms'].map((name) => `${id}.${name}`)),
  ]
  const rows = Array.from(plan.axis.times, (start, k) => {
    const label = plan.axis.labels?.[k] ?? ''
    const values = tracks.flatMap(([, { index, mask, weight, error }]) => [index[k], mask[k], weight[k], toSeconds(error[k]!) * 1000])
    return [k, toSeconds(start), toSeconds(cellEnd(plan.axis, k)), quoted(label), ...values].join(',')
  })
  return [head.join(','), ...rows, ''].join('\r\n')
}

function parsed(text: string): unknown {
  if (text.length > MAX_CHARACTERS) throw new GlmError('file_invalid', 'The plan is longer than 256 million characters.')
  try {
    return JSON.parse(text)
  } catch (cause) {
    throw new GlmError('file_invalid', 'The plan is no JSON.', { cause })
  }
}

function* cells(axis: Axis, text: (k: number) => string) {
  for (let k = 0; k < axis.times.length; k++) {
    yield { start: toSeconds(axis.times[k]!), end: toSeconds(cellEnd(axis, k)), text: text(k), id: String(k) }
  }
}

function lines(plan: Plan, k: number): string {
  const label = plan.axis.labels?.[k]
  const tracks = Object.entries(plan.tracks).map(([id, track]) => `${id} ${said(track, k)}`)
  return [...(label === undefined ? [] : [label]), ...tracks].join('\n')
}

function said({ index, mask, error, right, weight }: PlannedTrack, k: number): string {
  if (!mask[k]) return 'missing'
  const second = right && right[k]! >= 0 ? ` ${(weight[k]! * 100).toFixed(0)} % and ${right[k]}` : ''
  return `${index[k]}${second} ${(toSeconds(error[k]!) * 1000).toFixed(3)} ms`
}

/** A table program takes a field that begins so for a formula. */
function quoted(text: string): string {
  const safe = /^[=+\-@\t\r]/.test(text) ? `'${text}` : text
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe
}
