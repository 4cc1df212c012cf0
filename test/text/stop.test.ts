import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { createStops } from '../../src/text/stop.ts'

/** What is shown of a text that comes in these chunks. */
function run(strings: string[], chunks: string[]) {
  const stops = createStops(strings)
  const shown: string[] = []
  for (const chunk of chunks) {
    const { text, stopped } = stops.push(chunk)
    shown.push(text)
    if (stopped) return { shown, text: shown.join(''), stopped }
  }
  shown.push(stops.flush())
  return { shown, text: shown.join(''), stopped: false }
}

/** The specification: the first end of any stop string, the longest of those that end there. */
function cut(strings: string[], text: string) {
  for (let end = 1; end <= text.length; end++) {
    const here = strings.filter((stop) => stop && text.slice(0, end).endsWith(stop))
    if (here.length) return { text: text.slice(0, end - Math.max(...here.map((stop) => stop.length))), stopped: true }
  }
  return { text, stopped: false }
}

describe('stop strings', () => {
  it.each([
    [['END'], ['abcE', 'N', 'Dx'], ['abc', '', '']],
    [['END'], ['abcE', 'N', 'Ex'], ['abc', '', 'ENEx', '']],
    [['aab'], ['aaaa', 'b'], ['aa', '']],
    [
      ['abcd', 'bc'],
      ['ab', 'c'],
      ['', 'a'],
    ],
    [['\n\n'], ['x\n', 'y\n', '\n'], ['x', '\ny', '']],
    [
      ['', 'b'],
      ['a', 'b'],
      ['a', ''],
    ],
    [[], ['a', 'b'], ['a', 'b', '']],
  ])('%j in %j', (strings, chunks, shown) => expect(run(strings, chunks).shown).toEqual(shown))

  it('says nothing after the end', () => {
    const stops = createStops(['x'])
    expect(stops.push('axb')).toEqual({ text: 'a', stopped: true })
    expect(stops.push('c')).toEqual({ text: '', stopped: true })
    expect(stops.flush()).toBe('')
  })

  it('is the same for any cutting of the text', () => {
    const letters = fc.stringMatching(/^[abé]{0,6}$/)
    fc.assert(
      fc.property(fc.array(letters, { maxLength: 4 }), fc.array(letters, { maxLength: 8 }), (strings, chunks) => {
        const { text, stopped } = run(strings, chunks)
        expect({ text, stopped }).toEqual(cut(strings, chunks.join('')))
      }),
      { numRuns: 2000 },
    )
  })

  it('never holds back more than it must', () => {
    const stop = fc.stringMatching(/^[ab]{1,5}$/)
    fc.assert(
      fc.property(stop, fc.stringMatching(/^[ab]{0,12}$/), (string, text) => {
        const stops = createStops([string])
        const { text: shown, stopped } = stops.push(text)
        const held = text.slice(shown.length)
        const longest = Math.max(...Array.from({ length: string.length }, (_, n) => (text.endsWith(string.slice(0, n)) ? n : 0)))
        if (!stopped) expect(held.length).toBe(longest)
      }),
    )
  })
})
