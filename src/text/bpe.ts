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

const CACHED_WORDS = 10_000
const MOST_STEPS = 16 // each goes over the whole text
const CACHED_LENGTH = 64
const GPT2 = "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+"

/**
 * The patterns whose matching is linear in the text. An alternative is up to four characters or classes, then a run and what may be empty, so
 * that nothing behind a run can fail; or one list of words, or the three for spaces of GPT-4, which the last of them completes.
 */
const ATOM = '(?:\\\\[pP]\\{\\w+\\}|\\\\.|\\[(?:\\\\.|[^\\\\\\]])+\\]|[^\\\\()[\\]{}|*+?])'
const FORMS = [
  "'?\\(\\?i:[^()*+?{}]+\\)",
  '(?:\\\\s\\*\\[\\\\r\\\\n\\]\\+?\\|)?\\\\s\\+\\(\\?!\\\\S\\)\\|\\\\s\\+',
  `(?:${ATOM}(?:\\?\\+?|\\{[1-3](?:,[1-3])?\\})?){0,4}(?:${ATOM}[*+]\\+?(?:${ATOM}[*?]\\+?)?)?`,
].join('|')
const LINEAR = new RegExp(`^(?=.{1,999}$)(?:${FORMS})(?:\\|(?:${FORMS}))*$`, 's')

/** GPT-2's byte alphabet: printable Latin-1 stands for itself, the other 68 bytes for U+0100 onwards. */
export const byteAlphabet: string[] = []
for (let byte = 0, next = 256; byte < 256; byte++) {
  const printable = (byte > 32 && byte < 127) || (byte > 160 && byte !== 173)
  byteAlphabet.push(String.fromCharCode(printable ? byte : next++))
}

/** Makes the encoder; `isHidden` names the vocabulary entries that no text may reach. Throws `template_invalid`. */
export function createBpe(json: Json, isHidden: (token: string) => boolean = () => false): Bpe {
  const forms = flat(json.normalizer ?? { type: 'Sequence', normalizers: [] }, 'normalizer', 'normalizers').map(({ type }) => {
    return typeof type === 'string' && /^NFK?[CD]$/.test(type) ? type : refuse('normalizer.type')
  })
  if (forms.length > MOST_STEPS) refuse('normalizer')
  const cuts = preTokenizer(json.pre_tokenizer)
  const model = object(json.model, 'model')
  if ((model.type ?? 'BPE') !== 'BPE') refuse('model.type')
  for (const field of ['byte_fallback', 'unk_token', 'dropout', 'continuing_subword_prefix', 'end_of_word_suffix']) {
    if (model[field]) refuse(`model.${field}`)
  }
  const ids = object(model.vocab, 'model.vocab') as Record<string, number>
  const vocab = new Map<string, number>()
  for (const token of Object.keys(ids)) vocab.set(token, ids[token]!)
  const idOf = (token: string) => (isHidden(token) ? undefined : vocab.get(token))
  const byteIds = byteAlphabet.map(idOf)
  const { merge, steps } = merger(vocab, list(model.merges, 'model.merges'), isHidden)
  const encoder = new TextEncoder()
  const cache = new Map<string, readonly number[]>()

  const word = (text: string): readonly number[] => {
    const known = cache.get(text)
    if (known) return known
    const bytes = [...encoder.encode(text)]
    const whole = model.ignore_merges ? idOf(bytes.map((byte) => byteAlphabet[byte]).join('')) : undefined
    const ids = whole === undefined ? merge(bytes.map((byte) => byteIds[byte]).filter((id) => id !== undefined)) : [whole]
    if (text.length > CACHED_LENGTH) return ids
    if (cache.size >= CACHED_WORDS) cache.clear()
    cache.set(text, ids)
    return ids
  }

  return {
    encode(text) {
      let pieces = [forms.reduce((normal, form) => normal.normalize(form), text)].filter(Boolean)
      for (const cut of cuts) pieces = pieces.flatMap(cut)
      return pieces.flatMap(word)
    },
    get steps() {
      return steps()
    },
  }
}

function merger(vocab: Map<string, number>, merges: unknown[], isHidden: (token: string) => boolean) {
  let radix = 1
  for (const id of vocab.values()) {
    if (!(Number.isInteger(id) && id >= 0 && id < 1 << 24)) refuse('model.vocab')
    if (id >= radix) radix = id + 1
  }
  // A pair of ids is one number, `left * radix + right`: below 2^48, so exact.
  const ranks = new Map<number, number>()
  const results = merges.map((entry, rank) => {
    const pair = typeof entry === 'string' ? entry.split(' ') : (list(entry, 'model.merges') as string[])
    const left = pair[0]!
    const right = pair[1]!
    const [a, b] = [vocab.get(left), vocab.get(right)]
    if (pair.length !== 2 || a === undefined || b === undefined) refuse(`model.merges[${rank}]`)
    const text = left + right
    if (!isHidden(text)) ranks.set(a * radix + b, rank)
    return vocab.get(text) ?? refuse(`model.merges[${rank}]`)
  })
  let steps = 0

  /** Merges the pair of least rank, the leftmost of equals, until none is left: a heap over a linked list, n log n. */
  const merge = (ids: number[]): number[] => {
    const { length } = ids
    const next = Int32Array.from(ids, (_, i) => i + 1)
    const previous = Int32Array.from(ids, (_, i) => i - 1)
    const heap: number[] = []
    const rankAt = (left: number) => ranks.get(ids[left]! * radix + (ids[next[left]!] ?? Number.NaN))
    const offer = (left: number) => {
      const rank = rankAt(left)
      if (rank === undefined) return
      const value = rank * length + left
      let at = heap.length
      for (let up = (at - 1) >> 1; at && heap[up]! > value; at = up, up = (at - 1) >> 1, steps++) heap[at] = heap[up]!
      heap[at] = value
    }
    const take = () => {
      const top = heap[0]!
      const value = heap.pop()!
      let at = 0
      for (let down = 1; down < heap.length; at = down, down = 2 * at + 1, steps++) {
        if (heap[down + 1]! < heap[down]!) down++
        if (heap[down]! >= value) break
        heap[at] = heap[down]!
      }
      if (heap.length) heap[at] = value
      return top
    }
    for (let left = 0; left < length; left++) offer(left)
    while (heap.length) {
      steps++
      const top = take()
      const left = top % length
      const rank = (top - left) / length
      // One of the two may have gone into another pair since. A dead place has id -1, which makes no pair.
      if (rankAt(left) !== rank) continue
      const right = next[left]!
      const after = next[right]!
      ids[left] = results[rank]!
      ids[right] = -1
      next[left] = after
      if (after < length) previous[after] = left
      if (left) offer(previous[left]!)
      offer(left)
    }
    return ids.filter((id) => id >= 0)
  }
  return { merge, steps: () => steps }
}

function preTokenizer(value: unknown): Cut[] {
  const steps = flat(value, 'pre_tokenizer', 'pretokenizers')
  if (!steps.length || steps.length > MOST_STEPS) refuse('pre_tokenizer')
  return steps.flatMap((step, index): Cut[] => {
    const { type, behavior, invert } = step
    // After ByteLevel the text is in the byte alphabet: what follows would see other characters than its pattern means.
    if ((type === 'ByteLevel') !== (index === steps.length - 1)) refuse('pre_tokenizer')
    if (type === 'ByteLevel') {
      const prefix: Cut = (text) => [text[0] === ' ' ? text : ` ${text}`]
      return [...(step.add_prefix_space ? [prefix] : []), ...(step.use_regex === false ? [] : [cutter(compilePattern(GPT2), true, true)])]
    }
    if (type === 'Digits') return [cutter(step.individual_digits ? /\p{N}/gu : /\p{N}+/gu, true, true)]
    if (type !== 'Split') refuse('pre_tokenizer.type')
    if (behavior !== 'Isolated' && behavior !== 'Removed') refuse('pre_tokenizer.behavior')
    const { Regex, String: text } = object(step.pattern, 'pre_tokenizer.pattern')
    const source = typeof text === 'string' ? text.replace(/[^\p{L}\p{N}]/gu, '\\$&') : Regex
    // The shape of a plain string is its own.
    if (typeof source !== 'string' || !(source !== Regex || LINEAR.test(source))) refuse('pre_tokenizer.pattern')
    const pattern = compilePattern(source)
    return [cutter(pattern, Boolean(invert) || behavior === 'Isolated', !invert)]
  })
}

/** Cuts at the matches of a pattern; keeps them, what is between them, or both. */
function cutter(pattern: RegExp, keepMatches: boolean, keepGaps: boolean): Cut {
  return (text) => {
    const pieces: string[] = []
    let from = 0
    for (const { 0: match, index } of text.matchAll(pattern)) {
      if (keepGaps) pieces.push(text.slice(from, index))
      if (keepMatches) pieces.push(match)
      from = index + match.length
    }
    if (keepGaps) pieces.push(text.slice(from))
    return pieces.filter(Boolean)
  }
}

/** The steps of a normalizer or pre-tokenizer, with sequences inside sequences laid out. */
function flat(value: unknown, field: string, inner: string): Json[] {
  const step = object(value, field)
  return step.type === 'Sequence' ? list(step[inner], `${field}.${inner}`).flatMap((one) => flat(one, field, inner)) : [step]
}

function object(value: unknown, field: string): Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Json) : refuse(field)
}

function list(value: unknown, field: string): unknown[] {
  return Array.isArray(value) ? value : refuse(field)
}

function refuse(field: string): never {
  throw new GlmError('template_invalid', `The field "${field}" of tokenizer.json is malformed or not supported: it takes byte-level BPE.`)
}
