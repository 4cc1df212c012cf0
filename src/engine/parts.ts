// What a generation sends: one union, in order, and its end travels in it.
import type { FinishReason, Timings, Usage, WireError } from '../api/types.ts'

export type Part =
  | { type: 'text-delta'; text: string }
  | { type: 'finish'; reason: FinishReason; usage: Usage; timings: Timings }
  | { type: 'error'; error: WireError }
