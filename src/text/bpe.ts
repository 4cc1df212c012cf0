// Plain text to token ids by byte-level BPE, from the three fields of tokenizer.json that say how: normalizer, pre_tokenizer, model.
// It does what Rust's tokenizers does with those settings; any other setting is refused, for a near miss would only make the model worse.
import { GlmError } from '../errors.ts'
import { compilePattern } from './pattern.ts'

export interface Bpe {
  /** Ids of a text. Half a surrogate pair counts as U+FFFD; a byte that the vocabulary lacks gives nothing. */
  encode(text: string): number[]
  /** Moves in the queue of merges so far: what tests hold against the length of the text. */
  readonly steps: number
}

type Json = Record<string, unknown>
type Cut = (text: string) => string[]

const MAX_ID = 1 << 24
const CACHED_WORDS = 10_000
const CACHED_LENGTH = 64
const GPT2 = "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+"

/** GPT-2's byte alphabet: printable Latin-1 stands for itself, the other 68 bytes for U+0100 onwards. */
export const byteAlphabet: readonly string[] = Array.from({ length: 256 }, (_, byte) => byte).map(
  (
    (next) => (byte: number) =>
      String.fromCharCode((byte > 32 && byte < 127) || (byte > 160 && byte !== 173) ? byte : next++)
  )(256),
)

/** Makes the encoder; `isHidden` names the vocabulary entries that no text may reach. Throws `template_invalid`. */
export function createBpe(json: Json, isHidden: (token: string) => boolean): Bpe {
  const normalize = normalizer(json.normalizer)
  const cuts = preTokenizer(json.pre_tokenizer)
  const { merge, idOf, ignoreMerges, progress } = bpeModel(object(json.model, 'model'), isHidden)
  const byteIds = byteAlphabet.map(idOf)
  const encoder = new TextEncoder()
  const cache = new Map<string, readonly number[]>()

  const word = (text: string): readonly number[] => {
    const known = cache.get(text)
    if (known) return known
    const bytes = encoder.encode(text)
    const whole = ignoreMerges ? idOf(Array.from(bytes, (byte) => byteAlphabet[byte]!).join('')) : undefined
    const ids = whole === undefined ? merge(Array.from(bytes, (byte) => byteIds[byte]).filter((id) => id !== undefined)) : [whole]
    if (text.length > CACHED_LENGTH) return ids
    if (cache.size >= CACHED_WORDS) cache.clear()
    cache.set(text, ids)
    return ids
  }

  return {
    encode(text) {
      const normal = normalize(text)
      let pieces = normal ? [normal] : []
      for (const cut of cuts) pieces = pieces.flatMap(cut)
      const ids: number[] = []
      for (const piece of pieces) for (const id of word(piece)) ids.push(id)
      return ids
    },
    get steps() {
      return progress.steps
    },
  }
}

function bpeModel(model: Json, isHidden: (token: string) => boolean) {
  if ((model.type ?? 'BPE') !== 'BPE') refuse('model.type', 'is not BPE')
  for (const field of ['byte_fallback', 'unk_token', 'dropout', 'continuing_subword_prefix', 'end_of_word_suffix']) {
    if (model[field]) refuse(`model.${field}`, 'is set')
  }
  const vocab = new Map(Object.entries(object(model.vocab, 'model.vocab')) as [string, number][])
  let radix = 1
  for (const id of vocab.values()) {
    if (!Number.isInteger(id) || id < 0 || id >= MAX_ID) refuse('model.vocab', 'has an id that is not a whole number below 2^24')
    if (id >= radix) radix = id + 1
  }
  // A pair of ids is one number, `left * radix + right`: below 2^48, so exact.
  const ranks = new Map<number, number>()
  const results: number[] = []
  for (const [rank, entry] of list(model.merges, 'model.merges').entries()) {
    const pair = typeof entry === 'string' ? entry.split(' ') : entry
    const [left, right] = Array.isArray(pair) && pair.length === 2 ? pair : []
    if (typeof left !== 'string' || typeof right !== 'string') refuse('model.merges', `has a malformed entry at ${rank}`)
    const [a, b, result] = [vocab.get(left), vocab.get(right), vocab.get(left + right)]
    if (a === undefined || b === undefined || result === undefined)
      refuse('model.merges', `uses a token at ${rank} that is not in the vocabulary`)
    if (!isHidden(left) && !isHidden(right) && !isHidden(left + right)) ranks.set(a * radix + b, rank)
    results.push(result)
  }

  const progress = { steps: 0 }
  /** Merges the pair of least rank, the leftmost of equals, until none is left: n log n by a queue over a linked list. */
  const merge = (ids: number[]): number[] => {
    const { length } = ids
    if (length < 2) return ids
    const next = Int32Array.from(ids, (_, i) => i + 1)
    const previous = Int32Array.from(ids, (_, i) => i - 1)
    const rankAt = (left: number) => (next[left]! < length ? ranks.get(ids[left]! * radix + ids[next[left]!]!) : undefined)
    const queue = createQueue(progress)
    const offer = (left: number) => {
      const rank = left < 0 ? undefined : rankAt(left)
      if (rank !== undefined) queue.push(rank * length + left)
    }
    for (let left = 0; left < length; left++) offer(left)
    for (let top = queue.pop(); top !== undefined; top = queue.pop()) {
      const left = top % length
      const rank = (top - left) / length
      // One of the two may have gone into another pair since; a dead place has id -1, which no pair has.
      if (rankAt(left) !== rank) continue
      const right = next[left]!
      const after = next[right]!
      ids[left] = results[rank]!
      ids[right] = -1
      next[left] = after
      if (after < length) previous[after] = left
      offer(previous[left]!)
      offer(left)
    }
    return ids.filter((id) => id >= 0)
  }
  const idOf = (token: string) => (isHidden(token) ? undefined : vocab.get(token))
  return { merge, idOf, ignoreMerges: model.ignore_merges === true, progress }
}

/** A binary heap of numbers, least first. */
function createQueue(progress: { steps: number }) {
  const heap: number[] = []
  return {
    push(value: number) {
      let at = heap.length
      for (let up = (at - 1) >> 1; at > 0 && heap[up]! > value; at = up, up = (at - 1) >> 1, progress.steps++) heap[at] = heap[up]!
      heap[at] = value
      progress.steps++
    },
    pop(): number | undefined {
      const top = heap[0]
      const value = heap.pop()!
      const { length } = heap
      if (!length) return top
      let at = 0
      for (let down = 1; down < length; at = down, down = 2 * at + 1, progress.steps++) {
        if (down + 1 < length && heap[down + 1]! < heap[down]!) down++
        if (heap[down]! >= value) break
        heap[at] = heap[down]!
      }
      heap[at] = value
      progress.steps++
      return top
    },
  }
}

function normalizer(value: unknown): (text: string) => string {
  const forms = flat(value ?? { type: 'Sequence', normalizers: [] }, 'normalizer', 'normalizers').map(({ type }) => {
    if (!['NFC', 'NFD', 'NFKC', 'NFKD'].includes(String(type))) refuse('normalizer', `is of type ${type}`)
    return String(type)
  })
  return (text) => forms.reduce((normal, form) => normal.normalize(form), text)
}

function preTokenizer(value: unknown): Cut[] {
  const steps = flat(value, 'pre_tokenizer', 'pretokenizers')
  // After ByteLevel the text is in the byte alphabet: what follows would see other characters than its pattern means.
  if (steps.findIndex(({ type }) => type === 'ByteLevel') !== steps.length - 1 || !steps.length)
    refuse('pre_tokenizer', 'does not end in ByteLevel')
  return steps.flatMap((step): Cut[] => {
    if (step.type === 'Digits') return [cutter(step.individual_digits ? /\p{N}/gu : /\p{N}+/gu, true, true)]
    if (step.type === 'Split') return [split(step)]
    if (step.type !== 'ByteLevel') refuse('pre_tokenizer', `is of type ${step.type}`)
    const prefix: Cut = (text) => [text.startsWith(' ') ? text : ` ${text}`]
    return [...(step.add_prefix_space ? [prefix] : []), ...(step.use_regex === false ? [] : [cutter(compilePattern(GPT2), true, true)])]
  })
}

function split({ pattern, behavior, invert }: Json): Cut {
  const { Regex, String: text } = object(pattern, 'pre_tokenizer.pattern')
  const source = Regex ?? (typeof text === 'string' ? text.replace(/[^\p{L}\p{N}]/gu, '\\$&') : undefined)
  if (typeof source !== 'string') refuse('pre_tokenizer.pattern', 'is neither a Regex nor a String')
  if (behavior !== 'Isolated' && behavior !== 'Removed') refuse('pre_tokenizer.behavior', `is ${behavior}`)
  return cutter(compilePattern(source), invert === true || behavior === 'Isolated', !invert)
}

/** Cuts at the matches of a pattern; keeps them, what is between them, or both. */
function cutter(pattern: RegExp, keepMatches: boolean, keepGaps: boolean): Cut {
  return (text) => {
    const pieces: string[] = []
    let from = 0
    for (const { 0: match, index } of text.matchAll(pattern)) {
      if (keepGaps && index > from) pieces.push(text.slice(from, index))
      if (keepMatches && match) pieces.push(match)
      from = index + match.length
    }
    if (keepGaps && from < text.length) pieces.push(text.slice(from))
    return pieces
  }
}

/** The steps of a normalizer or pre-tokenizer, with sequences inside sequences laid out. */
function flat(value: unknown, field: string, inner: string): Json[] {
  const step = object(value, field)
  return step.type === 'Sequence' ? list(step[inner], `${field}.${inner}`).flatMap((one) => flat(one, field, inner)) : [step]
}

function object(value: unknown, field: string): Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Json) : refuse(field, 'is not an object')
}

function list(value: unknown, field: string): unknown[] {
  return Array.isArray(value) ? value : refuse(field, 'is not a list')
}

function refuse(field: string, reason: string): never {
  throw new GlmError(
    'template_invalid',
    `The field "${field}" of tokenizer.json ${reason}; only byte-level BPE as GLM has it is supported.`,
  )
}
