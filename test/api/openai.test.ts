// Our request and response types against OpenAI's own: held by the compiler, not at run time.
import type OpenAI from 'openai'
import { expectTypeOf, it } from 'vitest'
import type {
  AudioPart,
  ChatChunk,
  ChatCompletion,
  ChatMessage,
  ChatRequest,
  ImageUrlPart,
  TextPart,
  TokenLogprob,
  Usage,
} from '../../src/index.ts'

type Chat = typeof OpenAI.Chat.Completions
type Request = OpenAI.ChatCompletionCreateParams
type Message = OpenAI.ChatCompletionMessageParam
/** Without the parts that are ours. */
type Common =
  | Exclude<ChatMessage, { role: 'user' }>
  | (Omit<Extract<ChatMessage, { role: 'user' }>, 'content'> & { content: string | (TextPart | ImageUrlPart | AudioPart)[] })
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
  expectTypeOf<Common>().toExtend<Message>()
  expectTypeOf<Common>().toExtend<ChatMessage>()
  expectTypeOf<Required<Pick<ChatRequest, Shared>>>().toExtend<Pick<Request, Shared>>()
  expectTypeOf<Chat>().not.toBeNever()
})
