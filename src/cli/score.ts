// `score`: perplexity of tokens, the likeliest next ones, and every logit in a file where asked.
import { closeSync, openSync, rmSync, statSync, writeSync } from 'node:fs'
import type { ChatMessage } from '../api/types.ts'
import { readModel } from '../engine/checkpoint.ts'
import type { Prompt } from '../engine/seeing.ts'
import { GlmError } from '../errors.ts'
import type { Source } from '../weights/source.ts'
import type { Call } from './arguments.ts'
import { marked, readMessages, shownOf } from './messages.ts'
import { formats, openEngine, type Setting, sourceOf } from './model.ts'

export async function score({ model, values }: Call<'score'>, setting: Setting): Promise<number> {
  const { signal } = setting
  const messages = values.messages === undefined ? undefined : readMessages(values.messages)
  const source = await sourceOf(model!, setting, { hub: values.hub })
  const asked = messages ? await askedOf(source, messages, signal) : await tokensOf(source, values, signal)
  const file = values.logits === undefined ? undefined : createLogitsFile(values.logits)
  let whole = false
  try {
    // One position more than the tokens for the next one, and one that the engine keeps for an answer.
    const { engine } = await openEngine(
      source,
      { weights: values.weights, visionWeights: values['vision-weights'], exact: true, chats: false, context: asked.room + 2 },
      setting,
    )
    const { ids, seen, release } = messages ? await engine.prompt(await shownOf(engine, messages, signal), signal) : given(asked.tokens)
    const sum = createSum(ids, asked.vocabulary)
    const onLogits = (logits: Float32Array, start: number) => {
      sum.add(logits, start)
      file?.write(logits)
    }
    await engine.score(ids, onLogits, signal, seen).finally(release)
    const line = JSON.stringify({ tokens: ids.length, vocab: asked.vocabulary, ...sum.result(), ...(values.ids && { ids }) })
    await engine.close()
    whole = true
    setting.terminal.print(`${line}\n`)
    return 0
  } finally {
    file?.close(whole)
  }
}

const given = (tokens: number[]): Prompt => ({ ids: tokens, release() {} })

/** What is asked of the engine, before its weights are read: `room` is for so many tokens at most. */
interface Asked {
  tokens: number[]
  room: number
  vocabulary: number
}

async function askedOf(source: Source, messages: ChatMessage[], signal: AbortSignal): Promise<Asked> {
  const { config, template } = await readModel(source, { formats, signal })
  if (!template)
    throw new GlmError('template_invalid', 'This model has no chat template or tokenizer.json; add chat_template.jinja to its folder.')
  const { marks, room } = marked(messages)
  const { ids } = template.render(marks, { addGenerationPrompt: true })
  return { tokens: [], room: ids.length + room, vocabulary: config.vocabulary }
}

async function tokensOf(source: Source, values: Call<'score'>['values'], signal?: AbortSignal): Promise<Asked> {
  const { config, tokenizer } = await readModel(source, { formats, signal })
  const vocabulary = config.vocabulary
  if (values.text !== undefined && !tokenizer) {
    throw new GlmError('template_invalid', 'This model has no tokenizer.json; add it to its folder, or give --tokens.')
  }
  const tokens = values.tokens ?? tokenizer!.encodePlain(values.text!)
  if (tokens.length === 0) throw new GlmError('request_invalid', '--text has no tokens; give some text.')
  const bad = tokens.find((id) => id >= vocabulary)
  if (bad !== undefined)
    throw new GlmError('request_invalid', `Token ${bad} is outside the vocabulary of ${vocabulary}; use the model's own tokenizer.`)
  return { tokens, room: tokens.length, vocabulary }
}

/** Sums up logits [positions, vocabulary] that come chunk by chunk, in f64. */
export function createSum(tokens: readonly number[], vocabulary: number) {
  let loss = 0
  let top: [number, number][] = []
  return {
    add(logits: Float32Array, start: number) {
      for (let row = 0; row * vocabulary < logits.length; row++) {
        const values = logits.subarray(row * vocabulary, (row + 1) * vocabulary)
        const next = tokens[start + row + 1]
        const { most, rest } = logSumExp(values)
        if (!Number.isFinite(most + rest)) {
          throw new GlmError('weights_invalid', 'The model computed NaN or infinity; load it with --weights f32, or download it again.')
        }
        if (next !== undefined) loss += most - values[next]! + rest
        else top = likeliest(values, 5)
      }
    },
    /** Perplexity is exp of the mean loss of all tokens but the first; there is none for one token. */
    result: () => ({ perplexity: tokens.length > 1 ? Math.exp(loss / (tokens.length - 1)) : null, top }),
  }
}

/** log Σ exp(v) = most + rest; kept apart, because the greatest logit may be large and the rest is small. */
function logSumExp(values: Float32Array): { most: number; rest: number } {
  let most = -Infinity
  for (const value of values) most = value > most ? value : most
  let sum = 0
  for (const value of values) sum += Math.exp(value - most) // NaN stays NaN
  return { most, rest: Math.log(sum) }
}

/** [id, logit], the greatest first; of equal ones the smaller id. */
function likeliest(values: Float32Array, count: number): [number, number][] {
  const top: [number, number][] = []
  values.forEach((value, id) => {
    if (top.length === count && value <= top[count - 1]![1]) return
    const place = top.findIndex(([, other]) => value > other)
    top.splice(place < 0 ? top.length : place, 0, [id, value])
    top.length = Math.min(top.length, count)
  })
  return top
}

/** Takes logits as they come. A file that was not finished is removed: it would look like a whole one. */
function createLogitsFile(path: string) {
  const descriptor = open(path)
  return {
    // Dawn runs on little-endian machines only, so memory is what the file wants.
    write(logits: Float32Array) {
      const bytes = new Uint8Array(logits.buffer, logits.byteOffset, logits.byteLength)
      try {
        for (let done = 0; done < bytes.length; ) done += writeSync(descriptor, bytes, done)
      } catch (cause) {
        throw unwritable(path, cause)
      }
    },
    close(whole: boolean) {
      closeSync(descriptor)
      if (!whole && statSync(path, { throwIfNoEntry: false })?.isFile()) rmSync(path)
    },
  }
}

function open(path: string): number {
  try {
    return openSync(path, 'w')
  } catch (cause) {
    throw unwritable(path, cause)
  }
}

const unwritable = (path: string, cause: unknown) =>
  new GlmError(
    'request_invalid',
    `The file "${path}" of --logits cannot be written (${(cause as NodeJS.ErrnoException).code}); choose another.`,
    { cause },
  )
