// What a generation sends: one union, in order, and its end travels in it.
import type { FinishReason, SeenReport, Timings, TokenLogprob, Usage, WireError } from '../api/types.ts'

export type Part =
  /** How much the tower has seen of what the prompt shows, in patches; then how much of the prompt was read, in tokens. */
  | { type: 'seeing' | 'reading'; loaded: number; total: number }
  /** With the first token: which kernel variants make this answer, and what the model was shown. */
  | { type: 'start'; fingerprint: string; seen: SeenReport[] | undefined }
  /** `logprobs`: of the tokens told with this text, those whose text is held back or shown nowhere among them. */
  | { type: 'text-delta'; text: string; logprobs?: TokenLogprob[] }
  | { type: 'finish'; reason: FinishReason; usage: Usage; timings: Timings }
  | { type: 'error'; error: WireError }
