import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { createOutput, type OutputOptions } from '../../src/engine/output.ts'
import { createTokenizer } from '../../src/text/tokenizer.ts'

const read = (name: string) => JSON.parse(readFileSync(new URL(`../fixtures/tokenizer/${name}`, import.meta.url), 'utf8'))
const tokenizer = createTokenizer(read('tokenizer.json'), read('tokenizer_config.json'))
const stopId = tokenizer.tokenId('<|user|>')!
const make = (options: Partial<OutputOptions> = {}) =>
  createOutput({ tokenizer, stopIds: new Set([stopId]), stopStrings: [], maxTokens: 1000, ...options })

function run(text: string, options: Partial<OutputOptions> = {}) {
  const output = make(options)
  const pieces: string[] = []
  let finished: string | undefined
  for (const id of tokenizer.encode(text)) {
    const step = output.push(id)
    pieces.push(step.text)
    finished = step.finished
  }
  const rest = output.end()
  expect(pieces.join('') + rest).toBe(output.text)
  return { text: output.text, ids: output.ids, finished, rest }
}

describe('output', () => {
  it('ends at a stop token, which is not part of the answer', () => {
    const { text, ids, finished } = run('Hello 你好 😀<|user|>more')
    expect({ text, finished }).toEqual({ text: 'Hello 你好 😀', finished: 'stop' })
    expect(ids).toEqual(tokenizer.encode('Hello 你好 😀'))
  })

  it('shows control strings that are not special, and no others', () => {
    expect(run('<think>a</think>[gMASK]b<|system|>').text).toBe('<think>a</think>b')
  })

  it('trims the start only when asked, over several tokens', () => {
    expect(run('\n \n  Hi \n', { trimStart: true }).text).toBe('Hi \n')
    expect(run('\n Hi').text).toBe('\n Hi')
    expect(run('\n\n', { trimStart: true }).text).toBe('')
  })

  it('ends before a stop string, whichever tokens it is in', () => {
    const { text, finished } = run('one two three four', { stopStrings: ['wo thr', 'four'] })
    expect({ text, finished }).toEqual({ text: 'one t', finished: 'stop' })
    expect(run('\nab', { stopStrings: ['\n'], trimStart: true }).text).toBe('ab')
  })

  it('gives back what was held for a stop string that did not come', () => {
    expect(run('one tw', { stopStrings: ['two'] })).toMatchObject({ text: 'one tw', finished: undefined })
    expect(run('one tw<|user|>', { stopStrings: ['two'] })).toMatchObject({ text: 'one tw', finished: 'stop' })
  })

  it('ends at the token limit, with everything that was held', () => {
    const ids = tokenizer.encode('one two')
    expect(run('one two three', { maxTokens: ids.length, stopStrings: ['two three'] })).toMatchObject({
      text: 'one two',
      ids,
      finished: 'length',
    })
  })

  it('prefers stop over length', () => {
    const ids = tokenizer.encode('one')
    expect(run('one two', { maxTokens: ids.length, stopStrings: ['e'] })).toMatchObject({ text: 'on', ids, finished: 'stop' })
    expect(run('one<|user|>', { maxTokens: ids.length + 1 })).toMatchObject({ text: 'one', finished: 'stop' })
  })

  it('says nothing after the end', () => {
    const output = make({ maxTokens: 1 })
    output.push(64)
    expect(output.push(64)).toEqual({ text: '', finished: 'length' })
    expect(output.end()).toBe('')
    expect(output.ids).toEqual([64])
  })

  it('cuts an unfinished character at the end to U+FFFD', () => {
    const output = make()
    const [first] = tokenizer.encodePlain('𠮷')
    expect(output.push(first!).text).toBe('')
    expect(output.end()).toBe('\ufffd')
  })
})
