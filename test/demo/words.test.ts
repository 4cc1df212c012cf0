// The page's words: both languages have the same slots, every word that index.html names is there, and every element that the code asks for.
import { readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import { en, type Word } from '../../demo/words/en.ts'
import { zh } from '../../demo/words/zh.ts'

const demo = fileURLToPath(new URL('../../demo/', import.meta.url))
const html = ['index', 'ocr', 'agent'].map((page) => readFileSync(`${demo}${page}.html`, 'utf8')).join('\n')
const code = readdirSync(demo)
  .filter((file) => file.endsWith('.ts'))
  .map((file) => readFileSync(demo + file, 'utf8'))
  .join('\n')

const slots = (sentence: string) => [...sentence.matchAll(/\{(\w+)\}/g)].map(([, name]) => name).sort()
const named = (pattern: RegExp, text: string) => [...new Set([...text.matchAll(pattern)].map(([, name]) => name!))]

describe('words', () => {
  test.each(Object.keys(en) as Word[])('%s has the same slots in Chinese', (word) => {
    expect(slots(zh[word])).toEqual(slots(en[word]))
  })

  test('a word is nowhere without its Chinese', () => {
    expect((Object.keys(zh) as Word[]).filter((word) => zh[word] === en[word] && /[a-z]{4}/.test(en[word]))).toEqual([])
  })

  test('index.html names words that are there', () => {
    const asked = named(/data-words(?:-\w+)?="(\w+)"/g, html)
    expect(asked.length).toBeGreaterThan(30)
    expect(asked.filter((word) => !(word in en))).toEqual([])
  })

  test('no word is left over', () => {
    // `phase_${…}` and the like are put together.
    const families = named(/say\(`(?:\$\{\w+\})?_?(\w*)\$?/g, code).filter(Boolean)
    const used = (word: string) =>
      html.includes(`"${word}"`) ||
      code.includes(`'${word}'`) ||
      families.some((family) => word.startsWith(family)) ||
      /_about$|_tok_s$|_ms$|_per_token$|^stream_|^(kv|cache)_/.test(word)
    expect(Object.keys(en).filter((word) => !used(word))).toEqual([])
  })
})

test('index.html has every element that the code asks for', () => {
  const asked = named(/\bpart(?:<\w+>)?\('([\w-]+)'\)/g, code)
  expect(asked.length).toBeGreaterThan(40)
  expect(asked.filter((id) => !html.includes(`id="${id}"`))).toEqual([])
})
