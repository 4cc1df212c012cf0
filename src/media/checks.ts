// A plan that somebody else wrote, checked field by field. Work and memory are in proportion to what is really there, never to a number in it.
import { GlmError } from '../errors.ts'
import { type Axis, MAX_CELLS } from './axes.ts'
import type { Fault } from './faults.ts'
import { type ProfileName, profiles } from './labels.ts'
import type { Plan, PlannedTrack } from './plan.ts'
import { type Settled, shapes } from './policies.ts'
import type { Report, TrackReport } from './report.ts'
import type { Rate } from './ticks.ts'
import type { TrackKind } from './tracks.ts'

type Json = Record<string, unknown>

const KINDS: readonly TrackKind[] = ['video', 'audio', 'text', 'event', 'series']
const MAX_TRACKS = 256
const MAX_LIST = 2 ** 26
const MAX_INT32 = 2 ** 31 - 1

export function cellChecks(format: string, given: unknown): Plan {
  const json = record(given, 'plan')
  if (json.format !== format || json.version !== 1) throw bad('plan', `of format "${format}", version 1`)
  const axis = axisOf(record(json.axis, 'axis'))
  const cells = axis.times.length
  const named = Object.entries(record(json.tracks, 'tracks'))
  if (named.length > MAX_TRACKS) throw bad('tracks', `at most ${MAX_TRACKS}`)
  const tracks: [string, PlannedTrack][] = named.map(([id, one]) => [name(id), trackOf(record(one, id), id, cells)])
  const report = reportOf(
    record(json.report, 'report'),
    tracks.map(([id]) => id),
  )
  return {
    version: 1,
    axis,
    origin: whole(json.origin, 'origin'),
    tracks: Object.fromEntries(tracks),
    report,
    steps: whole(json.steps, 'steps', 0),
  }
}

function axisOf(json: Json): Axis {
  const kind = oneOf(json.kind, ['uniform', 'track', 'explicit', 'model'] as const, 'axis.kind')
  const times = list(json.times, 'axis.times', Float64Array, whole, MAX_CELLS)
  if (times.some((t, k) => k > 0 && t <= times[k - 1]!)) throw bad('axis.times', 'rising')
  const end = whole(json.end, 'axis.end', times.at(-1))
  const axis: Axis = { kind, times, end }
  if (json.rate !== undefined) axis.rate = rateOf(record(json.rate, 'axis.rate'))
  if (json.profile !== undefined) axis.profile = oneOf(json.profile, Object.keys(profiles) as ProfileName[], 'axis.profile')
  if (json.labels !== undefined) {
    const labels = array(json.labels, 'axis.labels', times.length)
    if (labels.length !== times.length) throw bad('axis.labels', 'one for each cell')
    axis.labels = labels.map((label) => text(label, 'axis.labels', 64))
  }
  if (json.frames !== undefined)
    axis.frames = list(json.frames, 'axis.frames', Int32Array, (value, path) => whole(value, path, 0, MAX_INT32), 2 * MAX_CELLS)
  return axis
}

function trackOf(json: Json, id: string, cells: number): PlannedTrack {
  const kind = oneOf(json.kind, KINDS, `${id}.kind`)
  const count = whole(json.count, `${id}.count`, 0, MAX_INT32)
  const how = howOf(record(json.how, `${id}.how`), kind, id)
  const index = (value: unknown, path: string) => whole(value, path, -1, count - 1)
  const rank = (value: unknown, path: string) => whole(value, path, 0, count)
  const each = <T extends Int32Array | Float64Array | Uint8Array>(key: string, make: Make<T>, check: Check): T => {
    const values = list(json[key], `${id}.${key}`, make, check, cells)
    if (values.length !== cells) throw bad(`${id}.${key}`, 'one for each cell')
    return values
  }
  const track: PlannedTrack = {
    kind,
    count,
    how,
    index: each('index', Int32Array, index),
    weight: each('weight', Float64Array, (value, path) => number(value, path, 0, 1)),
    mask: each('mask', Uint8Array, (value, path) => whole(value, path, 0, 1)),
    error: each('error', Float64Array, whole),
  }
  const { shape } = shapes[how.policy]
  if (shape === 'pair') track.right = each('right', Int32Array, index)
  if (shape === 'overlap' || (shape === 'list' && kind !== 'text')) {
    track.from = each('from', Int32Array, rank)
    track.to = each('to', Int32Array, rank)
    if (track.from.some((first, k) => track.to![k]! < first)) throw bad(`${id}.to`, 'at or after from')
  }
  if (json.offsets !== undefined) rows(track, json, id, cells, index)
  return track
}

function rows(track: PlannedTrack, json: Json, id: string, cells: number, index: Check): void {
  const ids = list(json.ids, `${id}.ids`, Int32Array, index, MAX_LIST)
  const offsets = list(json.offsets, `${id}.offsets`, Int32Array, (value, path) => whole(value, path, 0, ids.length), MAX_CELLS + 1)
  const rising = offsets.every((one, k) => k === 0 || one >= offsets[k - 1]!)
  if (offsets.length !== cells + 1 || !rising || offsets[0] !== 0 || offsets[cells] !== ids.length)
    throw bad(`${id}.offsets`, 'rising from 0 to the end of ids')
  if (ids.some((one) => one < 0)) throw bad(`${id}.ids`, 'indices')
  Object.assign(track, { offsets, ids })
}

function howOf(json: Json, kind: TrackKind, id: string): Settled {
  const policy = oneOf(json.policy, Object.keys(shapes) as (keyof typeof shapes)[], `${id}.how.policy`)
  if (!shapes[policy].kinds.includes(kind)) throw bad(`${id}.how.policy`, `a policy for a track of ${kind}`)
  const limit = (key: string) => (json[key] === null ? Infinity : number(json[key], `${id}.how.${key}`, 0, Number.MAX_SAFE_INTEGER))
  return {
    policy,
    tolerance: limit('tolerance'),
    maxGap: limit('maxGap'),
    edge: oneOf(json.edge, ['missing', 'clamp', 'zero', 'error'] as const, `${id}.how.edge`),
  }
}

/** What cells do not tell: gaps, repairs, steps, warnings. */
function reportOf(json: Json, ids: string[]): Report {
  const given = record(json.tracks, 'report.tracks')
  const tracks = ids.map((id) => [id, trackReportOf(record(own(given, id), `report.tracks.${id}`), `report.tracks.${id}`)] as const)
  const warnings = array(json.warnings, 'report.warnings', 10_000).map((one) => faultOf(record(one, 'report.warnings')))
  return { cells: 0, tracks: Object.fromEntries(tracks), span: { mean: 0, max: 0 }, warnings }
}

function trackReportOf(json: Json, path: string): TrackReport {
  const counted = (key: string) => whole(json[key], `${path}.${key}`, 0)
  const step = record(json.step, `${path}.step`)
  const part = (key: string) => number(step[key], `${path}.step.${key}`, 0)
  const gaps = array(json.gaps, `${path}.gaps`, 1000).map((one) => {
    const gap = record(one, `${path}.gaps`)
    return { start: number(gap.start, `${path}.gaps`), end: number(gap.end, `${path}.gaps`) }
  })
  return {
    coverage: 0,
    missing: 0,
    error: { mean: 0, p95: 0, max: 0 },
    gaps,
    gapCount: counted('gapCount'),
    duplicates: counted('duplicates'),
    reordered: counted('reordered'),
    dropped: counted('dropped'),
    priming: counted('priming'),
    step: { min: part('min'), median: part('median'), max: part('max'), variation: part('variation') },
    variable: json.variable === true,
  }
}

function faultOf(json: Json): Fault {
  const path = 'report.warnings'
  const code = text(json.code, path, 32)
  if (!/^W_[A-Z_]+$/.test(code)) throw bad(path, 'of known codes')
  const first = json.first === undefined ? {} : { first: whole(json.first, path, 0) }
  return {
    code: code as Fault['code'],
    track: text(json.track, path, 64),
    count: whole(json.count, path, 0),
    ...first,
    text: text(json.text, path, 1000),
  }
}

type Check = (value: unknown, path: string) => number
interface Make<T> {
  new (length: number): T
}

/** The array is real, so its length is what it costs. */
function list<T extends Int32Array | Float64Array | Uint8Array>(
  value: unknown,
  path: string,
  make: Make<T>,
  check: Check,
  most: number,
): T {
  const given = array(value, path, most)
  const out = new make(given.length)
  for (let i = 0; i < given.length; i++) out[i] = check(given[i], path)
  return out
}

function array(value: unknown, path: string, most: number): unknown[] {
  if (!Array.isArray(value) || value.length > most) throw bad(path, `a list of at most ${most}`)
  return value
}

function whole(value: unknown, path: string, least: number | undefined = -Number.MAX_SAFE_INTEGER, most = Number.MAX_SAFE_INTEGER): number {
  if (!Number.isSafeInteger(value) || (value as number) < least || (value as number) > most)
    throw bad(path, `whole numbers from ${least} to ${most}`)
  return (value as number) + 0
}

function number(value: unknown, path: string, least = -Number.MAX_VALUE, most = Number.MAX_VALUE): number {
  if (typeof value !== 'number' || !(value >= least && value <= most)) throw bad(path, `numbers from ${least} to ${most}`)
  return value
}

function text(value: unknown, path: string, most: number): string {
  if (typeof value !== 'string' || value.length > most) throw bad(path, `texts of at most ${most} characters`)
  return value
}

function oneOf<T extends string>(value: unknown, known: readonly T[], path: string): T {
  if (!known.includes(value as T)) throw bad(path, `one of ${known.join(', ')}`)
  return value as T
}

function rateOf(json: Json): Rate {
  return { num: whole(json.num, 'axis.rate', 1), den: whole(json.den, 'axis.rate', 1) }
}

function record(value: unknown, path: string): Json {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw bad(path, 'an object')
  return value as Json
}

function own(json: Json, key: string): unknown {
  return Object.hasOwn(json, key) ? json[key] : undefined
}

function name(id: string): string {
  if (!/^\w[\w.-]{0,63}$/.test(id) || id in Object.prototype)
    throw bad('tracks', 'named by up to 64 letters, digits, dots, dashes and underscores')
  return id
}

function bad(path: string, expected: string): GlmError {
  return new GlmError('file_invalid', `The plan cannot be used: ${path.slice(0, 100)} must be ${expected}.`)
}
