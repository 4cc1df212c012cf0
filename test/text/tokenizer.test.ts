import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { createDecoder, createTokenizer } from '../../src/text/tokenizer.ts'

const fixture = (name: string) => JSON.parse(readFileSync(new URL(`../fixtures/tokenizer/${name}`, import.meta.url), 'utf8'))
const json = fixture('tokenizer.json')
const config = fixture('tokenizer_config.json')
const tokenizer = createTokenizer(json, config)

interface Encoded {
  text: string
  ids: number[]
  ids_plain: number[]
  decoded: string
}
const encodings: Encoded[] = fixture('encode.json')
const decodings: { ids: number[]; text: string }[] = fixture('decode.json')

const stream = (ids: number[]) => {
  const decoder = createDecoder(tokenizer)
  return ids.map((id) => decoder.push(id)).concat(decoder.flush())
}

describe('against transformers', () => {
  it.each(encodings.map((entry) => [JSON.stringify(entry.text).slice(0, 60), entry] as const))(
    '%s',
    (_, { text, ids, ids_plain, decoded }) => {
      expect(tokenizer.encode(text)).toEqual(ids)
      expect(tokenizer.encodePlain(text)).toEqual(ids_plain)
      expect(tokenizer.decode(ids)).toBe(text)
      expect(tokenizer.decode(ids_plain)).toBe(text)
      expect(tokenizer.decode(ids, { skipSpecial: true })).toBe(decoded)
      expect(stream(ids_plain).join('')).toBe(text)
    },
  )

  it.each(decodings.map((entry) => [JSON.stringify(entry), entry] as const))('broken UTF-8 %s', (_, { ids, text }) => {
    expect(tokenizer.decode(ids)).toBe(text)
    expect(stream(ids).join('')).toBe(text)
  })
})

describe('tokenizer', () => {
  it('tells its controls, ids and size', () => {
    expect(tokenizer.controls).toHaveLength(json.added_tokens.length)
    expect(tokenizer.tokenId('<|user|>')).toBe(1607)
    expect(tokenizer.controls.find(({ text }) => text === '<think>')).toEqual({ text: '<think>', id: 1610, special: false })
    expect(tokenizer.isSpecial(1607)).toBe(true)
    expect(tokenizer.tokenId('a')).toBe(64)
    expect(tokenizer.tokenId('constructor')).toBeUndefined()
    expect(tokenizer.size).toBe(1600 + json.added_tokens.length)
  })

  it('gives nothing for ids outside the vocabulary', () => {
    expect(tokenizer.decode([64, 99_999, -1, 64])).toBe('aa')
    expect(tokenizer.decode([])).toBe('')
  })

  it('does not reach a control string that is listed in the vocabulary too', () => {
    const listed = { ...json, model: { ...json.model, ignore_merges: true, vocab: { ...json.model.vocab, '/nothink': 1620 } } }
    const other = createTokenizer(listed, config)
    expect(other.encodePlain('/nothink')).toEqual(tokenizer.encodePlain('/nothink'))
    expect(other.encode('/nothink')).toEqual([1620])
  })

  it("gives ByteLevel's own regex Rust's whitespace", () => {
    const plain = createTokenizer({ ...json, pre_tokenizer: { type: 'ByteLevel', add_prefix_space: false, use_regex: true } }, undefined)
    const split = { type: 'Split', pattern: { Regex: String.raw` ?\p{L}+| ?[^\s\p{L}]+|\s+` }, behavior: 'Isolated', invert: false }
    const pre_tokenizer = { type: 'Sequence', pretokenizers: [split, { type: 'ByteLevel', add_prefix_space: false, use_regex: false }] }
    expect(plain.encodePlain('a \ufeff b')).toEqual(createTokenizer({ ...json, pre_tokenizer }, undefined).encodePlain('a \ufeff b'))
  })

  it('takes added tokens of tokenizer_config.json', () => {
    const added_tokens_decoder = { 1700: { content: '<|new|>', special: false }, 1607: { content: '<|user|>', special: true } }
    const other = createTokenizer(json, { ...config, added_tokens_decoder, pad_token: { content: '<|new|>' } })
    expect(other.encode('<|new|><|user|>')).toEqual([1700, 1607])
    expect(other.isSpecial(1700)).toBe(true)
  })

  it.each([
    [null],
    [[]],
    [{}],
    [{ ...json, model: null }],
    [{ ...json, model: { ...json.model, type: 'Unigram' } }],
    [{ ...json, model: { ...json.model, merges: undefined } }],
    [{ ...json, added_tokens: [{ id: 'x' }] }],
    [{ ...json, pre_tokenizer: { type: 'Metaspace' }, decoder: { type: 'Metaspace' } }],
  ])('refuses a malformed file (%#)', (bad) => {
    expect(() => createTokenizer(bad, config)).toThrow(expect.objectContaining({ name: 'GlmError', code: 'template_invalid' }))
  })
})

describe('decoder', () => {
  it('holds back unfinished characters', () => {
    const ids = [...new TextEncoder().encode('é😀')].map((byte) => tokenizer.tokenId(byteToken(byte))!)
    expect(stream(ids)).toEqual(['', 'é', '', '', '', '😀', ''])
    expect(stream(ids.slice(0, 4)).join('')).toBe('é\ufffd')
  })

  it('keeps a byte order mark and passes control strings', () => {
    expect(stream([...tokenizer.encodePlain('\ufeffa'), 1610]).join('')).toBe('\ufeffa<think>')
  })
})

function byteToken(byte: number): string {
  const others = Array.from({ length: 256 }, (_, b) => b).filter((b) => !((b > 32 && b < 127) || (b > 160 && b !== 173)))
  const place = others.indexOf(byte)
  return String.fromCharCode(place < 0 ? byte : 256 + place)
}
