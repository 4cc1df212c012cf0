// OpenAI's chat completions on the page: parts of the worker become chunks here and nowhere else.
import type { Part } from '../engine/parts.ts'
import type { ShownRequest } from '../engine/request.ts'
import { GlmError } from '../errors.ts'
import { type Channel, fromWire } from './channel.ts'
import type {
  ChatChunk,
  ChatCompletion,
  ChatRequest,
  ChatStream,
  ChoiceLogprobs,
  Glm,
  ModelInfo,
  RequestOptions,
  SeenReport,
  TextPart,
  TokenLogprob,
} from './types.ts'

type Completions = Glm['chat']['completions']
type Finish = Extract<Part, { type: 'finish' }>

export function createCompletions(channel: Channel, { id, sees }: ModelInfo): Completions {
  async function create(request: ChatRequest, options: RequestOptions = {}): Promise<ChatStream | ChatCompletion> {
    const head = {
      id: `chatcmpl-${crypto.randomUUID()}`,
      created: Math.floor(Date.now() / 1000),
      model: id,
      system_fingerprint: '',
    }
    const { signal } = options
    // What is shown is read in the page, which has the files and the decoders.
    const wired = shows(request) ? await (await import('../media/shown.ts')).readShown(request, { sees, signal }) : request
    const parts = new Parts(channel, wired, options)
    return request.stream
      ? stream(parts, head, request.stream_options?.include_usage === true)
      : collect(parts, head, request.logprobs === true)
  }
  return { create: create as Completions['create'] }
}

/** Whether anything in the messages is more than text, in whatever shape they are. */
const shows = ({ messages }: { messages: unknown }) =>
  (messages as { content?: unknown[] }[] | undefined)?.some?.((message) =>
    message?.content?.some?.((part) => (part as TextPart)?.type !== 'text'),
  )

type Head = Pick<ChatChunk, 'id' | 'created' | 'model' | 'system_fingerprint'>

function stream(parts: Parts, head: Head, includeUsage: boolean): ChatStream {
  type Choice = ChatChunk['choices'][0]
  const chunk = (
    delta: Choice['delta'],
    finish_reason: Choice['finish_reason'] = null,
    logprobs: Choice['logprobs'] = null,
  ): ChatChunk => ({
    ...head,
    object: 'chat.completion.chunk',
    choices: [{ index: 0, delta, finish_reason, logprobs }],
    ...(includeUsage ? { usage: null } : {}),
  })
  async function* chunks(): AsyncGenerator<ChatChunk> {
    for await (const part of parts) {
      if (part.type === 'start') {
        head.system_fingerprint = part.fingerprint
        yield { ...chunk({ role: 'assistant', content: '' }), ...(part.seen && { seen: part.seen }) }
      }
      if (part.type === 'text-delta') yield chunk({ content: part.text }, null, part.logprobs && choiceLogprobs(part.logprobs))
      if (part.type === 'finish') {
        yield { ...chunk({}, part.reason), timings: part.timings, ...(includeUsage ? {} : { usage: part.usage }) }
        if (includeUsage) yield { ...head, object: 'chat.completion.chunk', choices: [], usage: part.usage, timings: part.timings }
      }
    }
  }
  const iterator = chunks()
  return { [Symbol.asyncIterator]: () => iterator, abort: (reason) => parts.abort(reason) }
}

const choiceLogprobs = (content: TokenLogprob[]): ChoiceLogprobs => ({ content, refusal: null })

async function collect(parts: Parts, head: Head, told: boolean): Promise<ChatCompletion> {
  let content = ''
  const logprobs: TokenLogprob[] = []
  let seen: SeenReport[] | undefined
  let finish: Finish | undefined
  for await (const part of parts) {
    if (part.type === 'start') {
      head.system_fingerprint = part.fingerprint
      seen = part.seen
    }
    if (part.type === 'text-delta') {
      content += part.text
      logprobs.push(...(part.logprobs ?? []))
    }
    if (part.type === 'finish') finish = part
  }
  if (!finish) throw new GlmError('internal', 'The answer ended without its last part; please report this.')
  return {
    ...head,
    object: 'chat.completion',
    choices: [
      {
        index: 0,
        message: { role: 'assistant', content, refusal: null },
        finish_reason: finish.reason,
        logprobs: told ? choiceLogprobs(logprobs) : null,
      },
    ],
    usage: finish.usage,
    timings: finish.timings,
    ...(seen && { seen }),
  }
}

/** The parts of one answer in order, as they arrive. After an abort nothing more comes out. */
class Parts implements AsyncIterable<Part> {
  readonly #queue: Part[] = []
  readonly #controller = new AbortController()
  #ended = false
  #failure: GlmError | undefined
  #wake = () => {}

  constructor(channel: Channel, request: ShownRequest, { signal, ...told }: RequestOptions) {
    if (signal?.aborted) this.abort(signal.reason)
    else {
      signal?.addEventListener('abort', () => this.abort(signal.reason), { once: true })
      channel.chat(request, (part) => this.#take(part, told), this.#controller.signal)
    }
  }

  abort(reason?: unknown): void {
    if (this.#ended) return
    this.#queue.length = 0
    this.#end(new GlmError('aborted', 'The answer was aborted.', { cause: reason }))
    this.#controller.abort()
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Part> {
    try {
      for (;;) {
        while (this.#queue.length > 0) yield this.#queue.shift()!
        if (this.#failure) throw this.#failure
        if (this.#ended) return
        await new Promise<void>((resolve) => {
          this.#wake = resolve
        })
      }
    } finally {
      // Leaving the loop early ends the generation.
      this.abort()
    }
  }

  #take(part: Part, { onSeeing, onReading }: RequestOptions): void {
    if (this.#ended) return
    if ('loaded' in part) {
      const tell = part.type === 'seeing' ? onSeeing : onReading
      tell?.(part)
      return
    }
    if (part.type === 'error') {
      this.#end(fromWire(part.error))
      return
    }
    this.#queue.push(part)
    if (part.type === 'finish') this.#end()
    else this.#wake()
  }

  #end(failure?: GlmError): void {
    this.#ended = true
    this.#failure = failure
    this.#wake()
  }
}
