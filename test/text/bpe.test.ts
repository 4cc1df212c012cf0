// Our byte-level BPE gives the ids of @huggingface/tokenizers for any text, in bounded work, and refuses what it does not know.
import { readFileSync } from 'node:fs'
import { Tokenizer as Library } from '@huggingface/tokenizers'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { GlmError } from '../../src/errors.ts'
import { byteAlphabet, createBpe } from '../../src/text/bpe.ts'
import { compilePattern } from '../../src/text/pattern.ts'
import { createTokenizer } from '../../src/text/tokenizer.ts'

const files = ['test/fixtures/tokenizer/tokenizer.json', 'models/pocket/tokenizer.json']
const [fixture, pocket] = files.map((file) => JSON.parse(readFileSync(new URL(`../../${file}`, import.meta.url), 'utf8')))

const libraryOf = (json: object) => {
  const library = new Library({ ...json, added_tokens: [], post_processor: null, decoder: null } as never, {})
  return (text: string) => library.encode(text, { add_special_tokens: false }).ids
}

const words = [
  'the ',
  ' Hello',
  "don't",
  "I'LL",
  "x'Ve",
  'naïve',
  'e\u0301\u0323',
  '你好',
  '模型，',
  '안녕',
  'カ\u3099',
  'привет',
  'مرحبا',
  'ǅʰª',
]
const code = ['def f(x):\n    return x', '}\r\n\t', '!=', '//', '<|user|>', '{"a": 1}', '12345', '３٣²Ⅷ', '\0']
const emoji = ['😀', '👩‍👩‍👧', '🇩🇪', '\ufe0f', '\ud83d', '\ude00', '\ufffd', '\u{10ffff}']
const spaces = [...' \t\n\v\f\r\x1c\x85\xa0\u1680\u180e\u2003\u200b\u2028\u2029\u202f\u205f\u3000\ufeff', '   ', '\n\n', '\r\n']
const anyText = fc
  .array(
    fc.oneof(
      { weight: 4, arbitrary: fc.constantFrom(...words, ...code, ...emoji) },
      { weight: 2, arbitrary: fc.constantFrom(...spaces) },
      { weight: 1, arbitrary: fc.string({ unit: 'binary', maxLength: 6 }) },
      { weight: 1, arbitrary: fc.string({ maxLength: 6 }) },
      { weight: 1, arbitrary: fc.integer({ min: 0, max: 0xffff }).map((unit) => String.fromCharCode(unit)) },
    ),
    { maxLength: 30 },
  )
  .map((parts) => parts.join(''))
  // The library knows no case of `s` and `k` outside ASCII, Onigmo does: those are below.
  .filter((text) => !/['’]ſ/.test(text))

const split = (Regex: string, rest = {}) => ({ type: 'Split', pattern: { Regex }, behavior: 'Isolated', invert: false, ...rest })
const byteLevel = { type: 'ByteLevel', add_prefix_space: false, use_regex: false }
const sequence = (...pretokenizers: object[]) => ({ type: 'Sequence', pretokenizers: [...pretokenizers, byteLevel] })
// As published with GPT-4, GPT-4o and DeepSeek V3.
const cl100k = String.raw`'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]++[\r\n]*|\s*[\r\n]|\s+(?!\S)|\s+`
const o200k = String.raw`[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\p{N}{1,3}|\s+(?!\S)|\s+|.`
const deepseek = String.raw`[!"#$%&'()*+,\-./:;<=>?@\[\\\]^_{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*|\s+`

it('a pattern that may go over a run of letters again and again is refused: no GLM has one', () => {
  expect(() => createBpe({ ...fixture, pre_tokenizer: sequence(split(o200k)) })).toThrow(/pre_tokenizer\.pattern/)
})

describe('against the library', () => {
  it.each([
    ['the fixture', fixture],
    ['the embedded model', pocket],
    [
      'merges as strings',
      { ...fixture, model: { ...fixture.model, merges: fixture.model.merges.map((pair: string[]) => pair.join(' ')) } },
    ],
    ['ignore_merges', { ...fixture, model: { ...fixture.model, ignore_merges: true } }],
    ['cl100k', { ...fixture, pre_tokenizer: sequence(split(cl100k)) }],
    ['three splits', { ...fixture, pre_tokenizer: sequence(split(String.raw`\p{N}{1,3}`), split('[一-龥぀-ゟ゠-ヿ]+'), split(deepseek)) }],
    ['a removed string', { ...fixture, pre_tokenizer: sequence(split(' ', { behavior: 'Removed' })) }],
    ['a string', { ...fixture, pre_tokenizer: sequence({ ...split(''), pattern: { String: '你好' } }) }],
    ['invert', { ...fixture, pre_tokenizer: sequence(split(cl100k, { behavior: 'Removed', invert: true })) }],
    ['a prefixed space', { ...fixture, pre_tokenizer: { ...byteLevel, add_prefix_space: true } }],
    ['no cuts, NFC', { ...fixture, pre_tokenizer: byteLevel, normalizer: { type: 'NFC' } }],
    ['two normalizers', { ...fixture, normalizer: { type: 'Sequence', normalizers: [{ type: 'NFD' }, { type: 'NFKC' }] } }],
  ])('%s gives the same ids', (_, json) => {
    const theirs = libraryOf(json)
    const ours = createBpe(json)
    fc.assert(
      fc.property(anyText, (text) => {
        expect(ours.encode(text)).toEqual(theirs(text))
      }),
      { numRuns: 1000 },
    )
  })

  it('takes half a surrogate pair as U+FFFD', () => {
    expect(createBpe(fixture).encode('\ud83d')).toEqual(createBpe(fixture).encode('\ufffd'))
  })
})

// What Python's `tokenizers` 0.23.2 gives.
describe('as Onigmo', () => {
  const pieces = (pattern: string, text: string) => text.match(compilePattern(pattern))
  it.each([
    ["(?i:'s)|\\p{L}+", "x'ſab 'Sa", ['x', "'ſ", 'ab', "'S", 'a']],
    ['(?i:k)', 'a\u212ab', ['\u212a']],
    ['\\s', 'a\x85b\ufeffc\u180ed\u200be\u2028f\x1cg', ['\x85', '\u2028']],
    ['\\d', '1²٣Ⅷ', ['1', '٣']],
    ['[a]?+a', 'aab', ['aa']],
    ['(?>a+)a|b', 'aaab', ['b']],
    ['.', 'a\r\n\u2028b', ['a', '\r', '\u2028', 'b']],
    ['\\v', 'a\x0bb\nc\x0c', ['\x0b']],
    ['[a\\-z]', 'a-bz', ['a', '-', 'z']],
    ['[a-]', 'a-b', ['a', '-']],
    ['[(|)&]', 'a(|b&', ['(', '|', '&']],
    ['\\p{Han}+', 'a你好b', ['你好']],
  ])('%s on %j', (pattern, text, expected) => {
    expect(pieces(pattern, text)).toEqual(expected)
  })

  it('Digits are of every script', () => {
    const digits = (individual_digits: boolean) => createBpe({ ...fixture, pre_tokenizer: sequence({ type: 'Digits', individual_digits }) })
    const split_ = (pattern: string) => createBpe({ ...fixture, pre_tokenizer: sequence(split(pattern)) })
    for (const text of ['a1²٣Ⅷb12', '2024年']) {
      expect(digits(true).encode(text)).toEqual(split_('\\p{N}').encode(text))
      expect(digits(false).encode(text)).toEqual(split_('\\p{N}+').encode(text))
    }
  })

  it.each([
    ...['(', ')', '[', 'a]', '[]', '[^]', '[^]]', '[a[b]]', '[a&&b]', '[[:alpha:]]', '*', 'a**', 'a{2}+', 'a{2}?', 'a{1,9999}', '(?=a)*'],
    ...[
      '^a',
      'a$',
      '\\b',
      '\\w',
      '\\1',
      '\\',
      '\\p{Nope}',
      '\\p{^L}',
      '\\x41',
      '(?i)a',
      '(?<=a)b',
      '(?<n>a)',
      '(?#c)',
      '(a+)+b',
      '(a|a)*b',
    ],
    ...['(?i:é)', '(?i:[a-z])', '(?i:\\p{Lu})', '[z-a]', '[\\s-a]', '{', 'a{', `${'('.repeat(99_999)}`, 'a'.repeat(5000)],
  ])('refuses %s', (pattern) => {
    expect(() => compilePattern(pattern)).toThrow(expect.objectContaining({ name: 'GlmError', code: 'template_invalid' }))
  })
})

describe('work', () => {
  const bpe = createBpe({ ...fixture, pre_tokenizer: byteLevel })
  it.each(['a', 'ab', 'the', ' ', '你', 'skills of the '])('is linear but for a logarithm on a long run of %j', (unit) => {
    const stepsFor = (length: number) => {
      const before = bpe.steps
      const start = performance.now()
      bpe.encode(unit.repeat(length / unit.length))
      expect(performance.now() - start).toBeLessThan(5000)
      return bpe.steps - before
    }
    // Every place enters the queue thrice at most, and moves through its depth once in and once out.
    for (const length of [1000, 10_000, 100_000]) expect(stepsFor(length)).toBeLessThan(3 * 3 * length * 2 * Math.log2(9 * length))
    expect(stepsFor(100_000)).toBeLessThan(20 * stepsFor(10_000) + 100)
  })

  it('is not done again for words seen before', () => {
    bpe.encode('seen before')
    const before = bpe.steps
    bpe.encode('seen before')
    expect(bpe.steps).toBe(before)
  })

  it('builds 150,000 tokens and merges quickly', () => {
    const vocab: Record<string, number> = Object.fromEntries(byteAlphabet.map((token, id) => [token, id]))
    const tokens = [...byteAlphabet]
    const merges: string[][] = []
    for (let i = 0; tokens.length < 150_000; i++) {
      const pair = [tokens[Math.floor(i / 256)]!, byteAlphabet[i % 256]!]
      const token = pair.join('')
      vocab[token] = tokens.length
      tokens.push(token)
      merges.push(pair)
    }
    const json = JSON.parse(JSON.stringify({ ...fixture, model: { ...fixture.model, vocab, merges } }))
    const start = performance.now()
    createBpe(json)
    const took = performance.now() - start
    console.log(`150,000 tokens and merges built in ${took.toFixed(0)} ms`)
    expect(took).toBeLessThan(5000)
  })
})

describe('a malformed or unknown field', () => {
  const bad = (json: unknown) => expect(() => createTokenizer(json, undefined))
  it.each([
    ['model.type', { ...fixture, model: { ...fixture.model, type: 'WordPiece' } }],
    ['model.byte_fallback', { ...fixture, model: { ...fixture.model, byte_fallback: true } }],
    ['model.unk_token', { ...fixture, model: { ...fixture.model, unk_token: '<unk>' } }],
    ['model.dropout', { ...fixture, model: { ...fixture.model, dropout: 0.1 } }],
    ['model.end_of_word_suffix', { ...fixture, model: { ...fixture.model, end_of_word_suffix: '</w>' } }],
    ['model.vocab', { ...fixture, model: { ...fixture.model, vocab: { a: -1 } } }],
    ['model.vocab', { ...fixture, model: { ...fixture.model, vocab: { a: 2 ** 40 } } }],
    ['model.merges[0]', { ...fixture, model: { ...fixture.model, merges: ['a'] } }],
    ['model.merges[0]', { ...fixture, model: { ...fixture.model, merges: [['z', 'zzzzzz']] } }],
    ['normalizer.type', { ...fixture, normalizer: { type: 'Lowercase' } }],
    ['normalizer', { ...fixture, normalizer: 'NFC' }],
    ['pre_tokenizer', { ...fixture, pre_tokenizer: null }],
    ['pre_tokenizer', { ...fixture, pre_tokenizer: { type: 'Sequence', pretokenizers: [] } }],
    ['pre_tokenizer', { ...fixture, pre_tokenizer: split('a') }],
    ['pre_tokenizer', { ...fixture, pre_tokenizer: sequence(byteLevel) }],
    ['pre_tokenizer.type', { ...fixture, pre_tokenizer: sequence({ type: 'Whitespace' }) }],
    ['pre_tokenizer.behavior', { ...fixture, pre_tokenizer: sequence(split('a', { behavior: 'MergedWithNext' })) }],
    ['pre_tokenizer.pattern', { ...fixture, pre_tokenizer: sequence(split('a', { pattern: {} })) }],
    ['pre_tokenizer.pretokenizers', { ...fixture, pre_tokenizer: { type: 'Sequence' } }],
  ])('%s is named (%#)', (field, json) => {
    bad(json).toThrow(expect.objectContaining({ code: 'template_invalid', message: expect.stringContaining(`"${field}"`) }))
  })

  it('is refused however deep', () => {
    const deep = JSON.parse(`${'{"type":"Sequence","pretokenizers":['.repeat(50_000)}1${']}'.repeat(50_000)}`)
    bad({ ...fixture, pre_tokenizer: deep }).toThrow(GlmError)
  })

  it('is refused at any place of the file, or does no harm', () => {
    const small = {
      normalizer: { type: 'Sequence', normalizers: [{ type: 'NFC' }] },
      pre_tokenizer: sequence(split(cl100k), { type: 'Digits', individual_digits: true }),
      model: { type: 'BPE', vocab: { a: 0, b: 1, ab: 2, abb: 3 }, merges: [['a', 'b'], 'ab b'], ignore_merges: false, dropout: null },
    }
    const places: (string | number)[][] = []
    const walk = (value: unknown, path: (string | number)[]) => {
      if (path.length) places.push(path)
      if (typeof value === 'object' && value) for (const key of Object.keys(value)) walk((value as never)[key], [...path, key])
    }
    walk(small, [])
    const odd = fc.oneof(
      fc.constantFrom(
        null,
        undefined,
        0,
        -1,
        1.5,
        2 ** 31,
        Number.NaN,
        true,
        '',
        'a',
        'a b',
        '((((',
        '(a*)*',
        '\\p{L}+',
        { toString: 1 },
        [],
        [[]],
      ),
      fc.constantFrom(
        { type: 'Sequence' },
        { type: { toString: 1 } },
        { type: 'ByteLevel' },
        { type: 'NFC' },
        { String: 'a' },
        { Regex: '[' },
      ),
      fc.jsonValue({ maxDepth: 3 }) as fc.Arbitrary<unknown>,
      fc.string({ unit: fc.constantFrom(...'ab()[]{}|?+*\\^$.-:=!>ipLsd1,& '), maxLength: 12 }),
    )
    const mutation = fc.tuple(fc.constantFrom(...places), odd)
    const property = fc.property(fc.array(mutation, { minLength: 1, maxLength: 3 }), (mutations) => {
      const json = structuredClone(small)
      for (const [path, value] of mutations) {
        let at = json as never as Record<string | number, never>
        for (const key of path.slice(0, -1)) if (typeof at[key] === 'object' && at[key]) at = at[key]
        at[path.at(-1)!] = value as never
      }
      try {
        const ids = createTokenizer(json, undefined).encodePlain('abb ab\nabbb 123 aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa')
        expect(ids.every((id) => Number.isInteger(id))).toBe(true)
      } catch (error) {
        if (!(error instanceof GlmError)) throw error
        expect(error.code).toBe('template_invalid')
        expect(error.message).toMatch(/^[A-Z]?.+\.$/s)
      }
    })
    fc.assert(property, { numRuns: 5000 })
  })
})
