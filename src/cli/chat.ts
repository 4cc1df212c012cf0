// `chat`: one prompt, its answer as it is made, and where asked what it took.
import type { ChatMessage, ChatRequest, Timings, Usage } from '../api/types.ts'
import type { Completion, Engine } from '../engine/engine.ts'
import type { Part } from '../engine/parts.ts'
import { GlmError } from '../errors.ts'
import { exists } from '../weights/source.ts'
import type { Call } from './arguments.ts'
import { readMessages, shownOf } from './messages.ts'
import { openEngine, type Setting, sourceOf } from './model.ts'

export async function chat({ model, values }: Call<'chat'>, setting: Setting): Promise<number> {
  const { terminal } = setting
  // Told before the weights are read.
  const told = values.messages === undefined ? undefined : readMessages(values.messages)
  const source = await sourceOf(model!, setting, { hub: values.hub })
  if (source.entry === undefined && !(await exists(source, 'tokenizer.json', setting.signal))) {
    throw new GlmError('template_invalid', 'This model has no tokenizer.json; add it to its folder.')
  }
  const { engine, milliseconds } = await openEngine(
    source,
    { weights: values.weights, visionWeights: values['vision-weights'], context: values.context },
    setting,
  )
  let end: Extract<Part, { type: 'finish' }> | undefined
  let shown = false
  const onPart = (part: Part) => {
    if (part.type === 'finish') end = part
    if (part.type !== 'text-delta') return
    shown = true
    terminal.print(part.text)
  }
  let answer: Completion
  try {
    answer = await answerOf(engine, values, told, onPart, setting.signal)
  } finally {
    if (shown) terminal.print('\n')
  }
  await engine.close()
  if (!shown) terminal.print('\n')
  if (values.json) terminal.print(`${JSON.stringify(summary(answer, end!, milliseconds))}\n`)
  return 0
}

async function answerOf(
  engine: Engine,
  values: Call<'chat'>['values'],
  told: ChatMessage[] | undefined,
  onPart: (part: Part) => void,
  signal: AbortSignal,
): Promise<Completion> {
  const settings: Omit<ChatRequest, 'messages'> = {
    max_tokens: values['max-tokens'],
    temperature: values.temperature,
    top_k: values['top-k'],
    top_p: values['top-p'],
    seed: values.seed,
  }
  if (told) return engine.chat({ ...settings, ...(await shownOf(engine, told, signal)) }, onPart, signal)
  const prompt = values.prompt!
  if (!values.raw) return engine.chat({ ...settings, messages: messagesOf(values.system, prompt) }, onPart, signal)
  return engine.complete(engine.files.tokenizer!.encode(prompt), settings, onPart, signal)
}

function messagesOf(system: string | undefined, prompt: string): ChatMessage[] {
  const user: ChatMessage = { role: 'user', content: prompt }
  return system === undefined ? [user] : [{ role: 'system', content: system }, user]
}

function summary({ text, ids, finish }: Completion, { usage, timings }: { usage: Usage; timings: Timings }, load: number) {
  const { prompt_tokens, completion_tokens } = usage
  return {
    text,
    tokens: ids,
    finish_reason: finish,
    usage: { prompt_tokens, completion_tokens },
    timings: { load_ms: tenth(load), prefill_ms: tenth(timings.prefill_ms), decode_ms: tenth(timings.decode_ms) },
  }
}

const tenth = (milliseconds: number) => Math.round(milliseconds * 10) / 10
