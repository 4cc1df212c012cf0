// What a generation sends: one union, in order, and its end travels in it.
import type { FinishReason, Timings, TokenLogprob, Usage, WireError } from '../api/types.ts'

export type Part =
  /** With the first token: which kernel variants make this answer. */
  | { type: 'start'; fingerprint: string }
  /** `logprobs`: of the tokens told with this text, those whose text is held back or shown nowhere among them. */
  | { type: 'text-delta'; text: string; logprobs?: TokenLogprob[] }
  | { type: 'finish'; reason: FinishReason; usage: Usage; timings: Timings }
  | { type: 'error'; error: WireError }
