// Log-probabilities as OpenAI tells them: a token is its text and its bytes.
import type { TokenLogprob, TopLogprob } from '../api/types.ts'
import type { Logprobs } from '../model/sampler.ts'
import type { Tokenizer } from '../text/tokenizer.ts'

const decoder = new TextDecoder('utf-8', { ignoreBOM: true })

export function shownLogprobs(tokenizer: Pick<Tokenizer, 'bytes'>, token: number, { logprob, top }: Logprobs): TokenLogprob {
  const show = (id: number, value: number): TopLogprob => {
    const bytes = tokenizer.bytes(id)
    // JSON knows no infinity; OpenAI's own floor.
    return { token: decoder.decode(bytes), bytes: bytes ? [...bytes] : null, logprob: Math.max(value, -9999) }
  }
  return { ...show(token, logprob), top_logprobs: top.map((one) => show(one.token, one.logprob)) }
}
