// Text to token ids and back, for byte-level BPE (every GLM since GLM-4). Control strings are split out here,
// before the BPE of bpe.ts, which knows none: so one encoder serves texts in which they count and texts in which nothing does.
import { asGlmError } from '../errors.ts'
import { byteAlphabet, createBpe } from './bpe.ts'

/** A control string (an "added token") such as `<|user|>`. `special` ones are left out of shown text. */
export interface Control {
  text: string
  id: number
  special: boolean
}

/** A stretch of text: a control string when `id` is there, otherwise plain. */
export interface Stretch {
  text: string
  id?: number
}

export interface Tokenizer {
  /** Ids of a text in which control strings count. No beginning-of-sequence token is ever added. */
  encode(text: string): number[]
  /** Ids of a text in which nothing is a control string. */
  encodePlain(text: string): number[]
  /** Text of ids; ids outside the vocabulary give nothing, broken UTF-8 gives U+FFFD. */
  decode(ids: Iterable<number>, options?: { skipSpecial?: boolean }): string
  /** Id of a token by its string: a control string, or a vocabulary entry in the byte alphabet. */
  tokenId(text: string): number | undefined
  /** Bytes (UTF-8, possibly a part of a character) that a token stands for. */
  bytes(id: number): Uint8Array | undefined
  isSpecial(id: number): boolean
  /** Cuts a text at its control strings, leftmost and longest first. */
  split(text: string): Stretch[]
  readonly controls: readonly Control[]
  /** One more than the greatest id. */
  readonly size: number
}

/** Detokenises a stream. Text comes out in whole characters. */
export interface Decoder {
  push(id: number): string
  flush(): string
}

type Json = Record<string, unknown>

/**
 * Makes a tokenizer from the parsed `tokenizer.json` and `tokenizer_config.json` (the second may be undefined).
 * Throws `template_invalid` when they are malformed or not byte-level BPE.
 */
export function createTokenizer(tokenizerJson: unknown, tokenizerConfig: unknown): Tokenizer {
  try {
    return build(record(tokenizerJson, 'tokenizer.json'), tokenizerConfig ? record(tokenizerConfig, 'tokenizer_config.json') : {})
  } catch (error) {
    throw asGlmError(error, 'template_invalid', 'tokenizer.json cannot be used, take it from the original repository: ')
  }
}

/** A streaming detokeniser: an unfinished character is held back, and every byte is decoded once. */
export function createDecoder(tokenizer: Pick<Tokenizer, 'bytes'>): Decoder {
  // ignoreBOM keeps a U+FEFF that the model wrote.
  const decoder = new TextDecoder('utf-8', { fatal: false, ignoreBOM: true })
  return {
    push(id) {
      const bytes = tokenizer.bytes(id)
      return bytes ? decoder.decode(bytes, { stream: true }) : ''
    },
    flush: () => decoder.decode(),
  }
}

function build(json: Json, config: Json): Tokenizer {
  const model = record(json.model, 'its "model"')
  const vocab = record(model.vocab, 'its "model.vocab"') as Record<string, number>
  const added = addedTokens(json, config)
  const byText = new Map(added.map((control) => [control.text, control]))
  const byId = new Map(added.map((control) => [control.id, control]))
  // Some files list control strings in the vocabulary too; there plain text could reach them (`ignore_merges`).
  const bpe = createBpe(json, (token) => byText.has(token))
  const tokens: string[] = []
  for (const [text, id] of Object.entries(vocab)) tokens[id] = text
  for (const { id, text } of added) tokens[id] = text
  const special = new Set(added.filter((control) => control.special).map((control) => control.id))
  const split = createSplitter(added)

  const tokenizer: Tokenizer = {
    encode: (text) => split(text).flatMap((stretch) => (stretch.id === undefined ? tokenizer.encodePlain(stretch.text) : [stretch.id])),
    encodePlain: (text) => bpe.encode(text),
    decode(ids, { skipSpecial = false } = {}) {
      const decoder = createDecoder(tokenizer)
      let text = ''
      for (const id of ids) if (!(skipSpecial && special.has(id))) text += decoder.push(id)
      return text + decoder.flush()
    },
    tokenId: (text) => byText.get(text)?.id ?? (Object.hasOwn(vocab, text) ? vocab[text] : undefined),
    bytes(id) {
      const token = tokens[id]
      return token === undefined ? undefined : tokenBytes(token, byId.has(id))
    },
    isSpecial: (id) => special.has(id),
    split,
    controls: added.map(({ text, id, special }) => ({ text, id, special })),
    size: tokens.length,
  }
  return tokenizer
}

function record(value: unknown, name: string): Json {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new Error(`${name} is not an object.`)
  return value as Json
}

/** Added tokens of both files; like transformers, those that tokenizer_config.json names by role are special. */
function addedTokens(json: Json, config: Json): Control[] {
  const found = new Map<number, Control>()
  const named = new Set(namedTokens(config))
  const add = (value: unknown, key?: string) => {
    const entry = record(value, 'an added token')
    const id = Number(entry.id ?? key)
    const { content } = entry
    if (
      typeof content !== 'string' ||
      !content ||
      content.length > 100 ||
      !Number.isInteger(id) ||
      id < 0 ||
      id >= 1 << 24 ||
      found.size > 999
    )
      throw new Error('An added token is malformed.')
    found.set(id, { text: content, id, special: entry.special === true || named.has(content) })
  }
  for (const entry of (json.added_tokens as unknown[] | undefined) ?? []) add(entry)
  const texts = new Set([...found.values()].map((control) => control.text))
  for (const [key, entry] of Object.entries(record(config.added_tokens_decoder ?? {}, 'added_tokens_decoder'))) {
    if (!found.has(Number(key)) && !texts.has((entry as { content: string }).content)) add(entry, key)
  }
  return [...found.values()]
}

function namedTokens(config: Json): string[] {
  const lists = [config.additional_special_tokens, config.extra_special_tokens].flatMap((list) => Object.values(list ?? {}))
  const single = ['bos_token', 'eos_token', 'unk_token', 'sep_token', 'pad_token', 'cls_token', 'mask_token'].map((name) => config[name])
  return [...lists, ...single].map(tokenText).filter((text) => text !== undefined)
}

/** The string of a token as configs write it: bare, or as an object with `content`. */
export function tokenText(value: unknown): string | undefined {
  const text = typeof value === 'object' && value !== null ? (value as { content?: unknown }).content : value
  return typeof text === 'string' ? text : undefined
}

/** The control strings by their characters: a file's thousand cost no more at a place of a text than the longest is long. */
interface Branch extends Map<string | undefined, Branch> {
  control?: Control
}

function createSplitter(added: Control[]): (text: string) => Stretch[] {
  const root: Branch = new Map()
  for (const control of added) {
    let branch = root
    for (const unit of control.text.split('')) {
      if (!branch.has(unit)) branch.set(unit, new Map())
      branch = branch.get(unit)!
    }
    branch.control = control
  }
  const controlAt = (text: string, at: number) => {
    let found: Control | undefined
    for (let branch = root.get(text[at]); branch; branch = branch.get(text[++at])) found = branch.control ?? found
    return found
  }
  return (text) => {
    const stretches: Stretch[] = []
    let from = 0
    for (let at = 0; at < text.length; ) {
      const control = controlAt(text, at)
      if (control) {
        if (at > from) stretches.push({ text: text.slice(from, at) })
        stretches.push({ text: control.text, id: control.id })
        from = at + control.text.length
      }
      at = Math.max(at + 1, from)
    }
    if (from < text.length) stretches.push({ text: text.slice(from) })
    return stretches
  }
}

const byteOf = new Map(byteAlphabet.map((character, byte) => [character, byte]))
const encoder = new TextEncoder()

function tokenBytes(token: string, added: boolean): Uint8Array {
  const bytes = added ? [] : Array.from(token, (character) => byteOf.get(character))
  // Outside the byte alphabet (added tokens, odd vocabularies) a token is its own text.
  return added || bytes.includes(undefined) ? encoder.encode(token) : Uint8Array.from(bytes as number[])
}
