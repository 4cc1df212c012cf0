// What can be wrong with media, as a table: its code, whether strict mode refuses it, and what lenient mode does instead.
import { GlmError, type GlmErrorCode } from '../errors.ts'

/** Codes as lenient mode records them; strict mode throws the same with `E_`. */
export const faults = {
  REORDERED: { strict: 'E_UNSORTED', lenient: 'sorted, stable; `order` keeps the permutation' },
  DUPLICATE: { strict: 'E_DUPLICATE', lenient: 'one sample kept, the last by default' },
  BAD_TIME: { strict: 'E_BAD_TIME', lenient: 'sample dropped; an error if all are bad' },
  BAD_VALUE: { strict: 'E_BAD_VALUE', lenient: 'kept; cells that numbers of it would enter are masked' },
  GAP: { strict: undefined, lenient: 'reported; not bridged by linear, not covered by mean, max and sum' },
  DURATION: { strict: 'E_DURATION', lenient: 'missing tails are masked' },
  EMPTY: { strict: 'E_EMPTY', lenient: 'all cells masked, values 0' },
  VFR: { strict: undefined, lenient: 'real times are used, never i / fps' },
  FPS_MISMATCH: { strict: 'E_FPS_MISMATCH', lenient: 'real times win' },
  AUDIO_GAP: { strict: undefined, lenient: 'the sound is split there' },
  BAD_CUE: { strict: 'E_BAD_CUE', lenient: 'cue dropped' },
  TOO_LONG: { strict: 'E_TOO_LONG', lenient: 'cut where the model stops listening' },
} as const satisfies Record<string, { strict: string | undefined; lenient: string }>

export type FaultName = keyof typeof faults
/** Wrong whatever the mode: a number out of range, a cell outside a track whose edge is `error`, a gap where `gaps` is `error`. */
export type FaultCode = `W_${FaultName}` | NonNullable<(typeof faults)[FaultName]['strict']> | 'E_RANGE' | 'E_EDGE' | 'E_GAP' | 'E_OVERFLOW'

/** One thing that was wrong. */
export interface Fault {
  code: FaultCode
  track: string
  /** How many samples or cues. */
  count: number
  /** Index of the first of them, as given. */
  first?: number
  /** One sentence. */
  text: string
}

/** The error of a fault; its `cause` is the fault. */
export function fault(code: FaultCode, track: string, text: string, first?: number, count = 1): GlmError {
  return failure('request_invalid', { code, track, count, ...(first === undefined ? {} : { first }), text })
}

/** The fault that an error is about, if it is about one. */
export function faultOf(error: unknown): Fault | undefined {
  const cause = error instanceof GlmError ? (error.cause as Fault | undefined) : undefined
  return typeof cause?.code === 'string' && /^[EW]_/.test(cause.code) ? cause : undefined
}

/** Where faults go: thrown in strict mode where the table says so, kept otherwise. */
export class Ledger {
  readonly kept: Fault[] = []
  readonly strict: boolean

  constructor(strict: boolean) {
    this.strict = strict
  }

  /** `error` is the code of the GlmError: `file_invalid` where a file is to blame. */
  note(
    name: FaultName,
    track: string,
    count: number,
    first: number | undefined,
    text: string,
    error: GlmErrorCode = 'request_invalid',
  ): void {
    if (count === 0) return
    const one = { track, count, ...(first === undefined ? {} : { first }), text }
    const strict = faults[name].strict
    if (this.strict && strict) throw failure(error, { code: strict, ...one })
    this.kept.push({ code: `W_${name}`, ...one })
  }
}

function failure(error: GlmErrorCode, cause: Fault): GlmError {
  const where = cause.track ? `track ${cause.track}: ` : ''
  return new GlmError(error, `${cause.code}: ${where}${cause.text}`, { cause })
}
