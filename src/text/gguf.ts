// The tokenizer of a GGUF, in the shape of tokenizer.json, and its chat template. Bounded by the file: lists are as long as the vocabulary.
import { GlmError } from '../errors.ts'

export interface GgufText {
  /** As tokenizer.json. */
  tokenizer: Record<string, unknown>
  template?: string
  /** Special tokens by name (`eos_token`, …), as in tokenizer_config.json. */
  specials: Record<string, string>
}

/** What Hugging Face's tokenizers of GLM split at, under both names that converters gave it. */
const pattern =
  "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"
const patternNames = ['chatglm-bpe', 'glm4']

/** Kinds of tokens; bytes and unknown ones are not in a byte-level vocabulary. */
const kind = { normal: 1, control: 3, user: 4 }

const roles: Record<string, string> = {
  bos: 'bos_token',
  eos: 'eos_token',
  unknown: 'unk_token',
  seperator: 'sep_token', // as the format spells it
  padding: 'pad_token',
  cls: 'cls_token',
  mask: 'mask_token',
}

/** `metadata` as `openGguf` gives it; `vocabulary` is the number of rows of the embedding. Throws `template_invalid`. */
export function ggufText(metadata: ReadonlyMap<string, unknown>, file: string, vocabulary: number): GgufText {
  const fail = (why: string) => new GlmError('template_invalid', `The tokenizer in ${file} ${why}; choose another conversion of the model.`)
  const key = (name: string) => metadata.get(`tokenizer.ggml.${name}`)
  const model = key('model')
  if (model === 'llama') throw fail('is SentencePiece, which is not supported: every GLM since GLM-4 has byte-level BPE')
  if (model !== 'gpt2') throw fail(`is of the type ${brief(model)} and not byte-level BPE`)
  if (!patternNames.includes(key('pre') as string))
    throw fail(`splits words as ${brief(key('pre'))} and not as ${patternNames.join(' or ')}`)
  const tokens = strings(key('tokens')) ?? raise(fail('has no list of tokens'))
  const merges = strings(key('merges')) ?? raise(fail('has no list of merges'))
  const kinds = key('token_type')
  if (!(kinds instanceof Int32Array || kinds instanceof Uint32Array) || kinds.length !== tokens.length)
    throw fail('does not say the type of every token')
  if (tokens.length > vocabulary) throw fail(`has ${tokens.length} tokens beside an embedding of ${vocabulary}`)
  const vocab: [string, number][] = []
  const added: { id: number; content: string; special: boolean }[] = []
  for (const [id, content] of tokens.entries()) {
    if (kinds[id] === kind.normal) vocab.push([content, id])
    else if (content && (kinds[id] === kind.control || kinds[id] === kind.user))
      added.push({ id, content, special: kinds[id] === kind.control })
  }
  if (new Set(vocab.map(([token]) => token)).size < vocab.length) throw fail('has a token twice')
  const template = metadata.get('tokenizer.chat_template')
  return {
    tokenizer: {
      added_tokens: added,
      pre_tokenizer: {
        type: 'Sequence',
        pretokenizers: [
          { type: 'Split', pattern: { Regex: pattern }, behavior: 'Isolated', invert: false },
          { type: 'ByteLevel', add_prefix_space: false, use_regex: false },
        ],
      },
      // Own properties whatever they are called.
      model: { type: 'BPE', vocab: Object.fromEntries(vocab), merges },
    },
    ...(typeof template === 'string' ? { template } : {}),
    specials: specials(tokens, key),
  }
}

function specials(tokens: readonly string[], key: (name: string) => unknown): Record<string, string> {
  const result: Record<string, string> = {}
  for (const [role, name] of Object.entries(roles)) {
    const text = tokens[Number(key(`${role}_token_id`) ?? -1)]
    if (text !== undefined) result[name] = text
  }
  return result
}

const strings = (value: unknown): string[] | undefined =>
  Array.isArray(value) && value.every((entry) => typeof entry === 'string') ? (value as string[]) : undefined

function raise(error: GlmError): never {
  throw error
}

const brief = (value: unknown) => String(JSON.stringify(value)).slice(0, 60)
