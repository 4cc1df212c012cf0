// One generation as the scheduler sees it: what is asked, what stands in its pages, and where it is.
import type { SamplingSettings } from '../model/rows.ts'
import type { Logprobs } from '../model/sampler.ts'
import type { Seen } from '../model/seen.ts'
import type { Page } from './pages.ts'

export interface Generation {
  prompt: readonly number[]
  /** What stands in the prompt beside words. */
  seen?: Seen | undefined
  sampling: SamplingSettings
  maxTokens: number
  signal?: AbortSignal
  /**
   * Which tokens the next draw may choose, given the answer so far: one bit each (1: allowed), or undefined for all. Called before each token, so a group
   * with a mask in it makes one token per submit.
   */
  mask?: (answer: readonly number[]) => Uint32Array | undefined
  /** Told behind every stretch of the prompt: tokens that were read or known. */
  onRead?: (tokens: number) => void
  /** Takes a token, with its log-probabilities where `sampling` asks for them; false ends the generation. */
  onToken: (token: number, logprobs?: Logprobs) => boolean
}

export interface Sequence {
  readonly generation: Generation
  /** Prompt and answer. The last token of an answer is known before it was run. */
  readonly tokens: number[]
  readonly pages: Page[]
  /** Tokens of `tokens` whose keys and values stand in the pages. */
  valid: number
  /** Position that the next submitted pass writes; ahead of `valid` while passes are in flight. */
  scheduled: number
  /** Prompt tokens that were there already. */
  cached: number
  generated: number
  /** Slot in the decode rows, while decoding. */
  slot: number
  state: 'waiting' | 'prefill' | 'decode' | 'done'
  readonly settle: { resolve: () => void; reject: (error: unknown) => void }
}
