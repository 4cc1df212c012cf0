// From generated token ids to text that may be shown: stop tokens, whole characters, stop strings, the token limit.
import { createStops } from '../text/stop.ts'
import { createDecoder, type Tokenizer } from '../text/tokenizer.ts'

export interface OutputOptions {
  tokenizer: Pick<Tokenizer, 'bytes' | 'isSpecial'>
  stopIds: ReadonlySet<number>
  stopStrings: string[]
  /** Tokens after which the answer ends with `length`. */
  maxTokens: number
  /** Leaves out whitespace before the first word: GLM models begin an answer with a newline. */
  trimStart?: boolean
}

export interface Output {
  /** Takes the next token; `text` is what it adds. After `finished` nothing more comes out. */
  push(id: number): { text: string; finished: undefined | 'stop' | 'length' }
  /** Ends the answer early and returns the text that was held back. */
  end(): string
  /** Tokens of the answer, without the stop token. */
  readonly ids: readonly number[]
  /** All text so far. */
  readonly text: string
}

/** Collects one answer. Special tokens are counted but not shown; other control strings, such as `<think>`, are. */
export function createOutput(options: OutputOptions): Output {
  const decoder = createDecoder(options.tokenizer)
  const stops = createStops(options.stopStrings)
  const ids: number[] = []
  let text = ''
  let trimming = options.trimStart ?? false
  let finished: undefined | 'stop' | 'length'

  const show = (piece: string) => {
    text += piece
    return piece
  }
  const advance = (decoded: string) => {
    const shown = trimming ? decoded.trimStart() : decoded
    if (shown) trimming = false
    const { text, stopped } = stops.push(shown)
    if (stopped) finished = 'stop'
    return text
  }
  const flush = () => {
    const last = advance(decoder.flush())
    return show(last + stops.flush())
  }

  return {
    push(id) {
      if (finished) return { text: '', finished }
      if (options.stopIds.has(id)) {
        finished = 'stop'
        return { text: flush(), finished }
      }
      ids.push(id)
      let piece = options.tokenizer.isSpecial(id) ? '' : show(advance(decoder.push(id)))
      if (!finished && ids.length >= options.maxTokens) {
        finished = 'length'
        piece += flush()
      }
      return { text: piece, finished }
    },
    end() {
      if (finished) return ''
      finished = 'stop'
      return flush()
    },
    ids,
    get text() {
      return text
    },
  }
}
