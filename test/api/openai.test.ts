// Our request and response types against OpenAI's own: held by the compiler, not at run time.
import type OpenAI from 'openai'
import { expectTypeOf, it } from 'vitest'
import type { ChatChunk, ChatCompletion, ChatMessage, ChatRequest, Usage } from '../../src/index.ts'

type Chat = typeof OpenAI.Chat.Completions
type Request = OpenAI.ChatCompletionCreateParams
type Message = OpenAI.ChatCompletionMessageParam

it("what we answer can be used where OpenAI's answers are expected", () => {
  expectTypeOf<ChatCompletion>().toExtend<OpenAI.ChatCompletion>()
  expectTypeOf<ChatChunk>().toExtend<OpenAI.ChatCompletionChunk>()
  expectTypeOf<Usage>().toExtend<OpenAI.CompletionUsage>()
})

it('what we ask for is what OpenAI asks for', () => {
  expectTypeOf<ChatMessage>().toExtend<Message>()
  expectTypeOf<Required<Pick<ChatRequest, 'temperature' | 'top_p' | 'seed' | 'stop' | 'max_tokens' | 'stream'>>>().toExtend<
    Pick<Request, 'temperature' | 'top_p' | 'seed' | 'stop' | 'max_tokens' | 'stream'>
  >()
  expectTypeOf<Chat>().not.toBeNever()
})
