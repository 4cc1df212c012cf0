// Our request and response types against OpenAI's own: held by the compiler, not at run time.
import type OpenAI from 'openai'
import { expectTypeOf, it } from 'vitest'
import type { ChatChunk, ChatCompletion, ChatMessage, ChatRequest, TokenLogprob, Usage } from '../../src/index.ts'

type Chat = typeof OpenAI.Chat.Completions
type Request = OpenAI.ChatCompletionCreateParams
type Message = OpenAI.ChatCompletionMessageParam
type Shared =
  | 'temperature'
  | 'top_p'
  | 'seed'
  | 'stop'
  | 'max_tokens'
  | 'stream'
  | 'presence_penalty'
  | 'frequency_penalty'
  | 'logit_bias'
  | 'logprobs'
  | 'top_logprobs'

it("what we answer can be used where OpenAI's answers are expected", () => {
  expectTypeOf<ChatCompletion>().toExtend<OpenAI.ChatCompletion>()
  expectTypeOf<ChatChunk>().toExtend<OpenAI.ChatCompletionChunk>()
  expectTypeOf<TokenLogprob>().toExtend<OpenAI.ChatCompletionTokenLogprob>()
  expectTypeOf<Usage>().toExtend<OpenAI.CompletionUsage>()
})

it('what we ask for is what OpenAI asks for', () => {
  expectTypeOf<ChatMessage>().toExtend<Message>()
  expectTypeOf<Required<Pick<ChatRequest, Shared>>>().toExtend<Pick<Request, Shared>>()
  expectTypeOf<Chat>().not.toBeNever()
})
