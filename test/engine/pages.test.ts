// Pages against a twin that remembers what really stands in each of them.
import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type Page, Pages } from '../../src/engine/pages.ts'
import { pageSize } from '../../src/kernels/rows.ts'

const range = (length: number, from = 0) => Array.from({ length }, (_, index) => from + index)
const idsOf = (pages: readonly Page[]) => pages.map(({ id }) => id)

/** A sequence from its opening to its end, as the scheduler does it; `cached` is what was there. */
function pass(pages: Pages, tokens: readonly number[]): { cached: number; ids: number[]; copy: unknown } {
  const { pages: held, tokens: cached, copy } = pages.open(tokens)
  expect(pages.grow(held, tokens.length)).toBe(true)
  pages.share(held, tokens, true)
  pages.close(held)
  return { cached, ids: idsOf(held), copy }
}

describe('sharing', () => {
  it('gives equal prefixes the same full pages', () => {
    const pages = new Pages(8)
    const first = pass(pages, range(3 * pageSize))
    const next = pages.open([...range(2 * pageSize), 9999, 9998])
    expect({ tokens: next.tokens, copy: next.copy }).toEqual({ tokens: 2 * pageSize, copy: undefined })
    expect(idsOf(next.pages)).toEqual(first.ids.slice(0, 2))
    expect(next.pages.map(({ holders }) => holders)).toEqual([1, 1])
    expect(pages.free).toBe(6)
  })

  it('is there while the first holder still runs', () => {
    const pages = new Pages(8)
    const { pages: held } = pages.open(range(100))
    pages.grow(held, 101)
    pages.share(held, range(100))
    const next = pages.open(range(100))
    expect(next.tokens).toBe(pageSize) // the second page is still being written
    expect(next.pages[0]).toBe(held[0])
    expect(held[0]!.holders).toBe(2)
  })

  it('copies a page that the new sequence leaves half way', () => {
    const pages = new Pages(8)
    const first = pass(pages, range(pageSize + 20))
    const { tokens, copy, pages: held } = pages.open([...range(pageSize + 10), 777, 778])
    expect(tokens).toBe(pageSize + 10)
    expect(copy).toEqual({ from: first.ids[1], to: held[1]!.id })
    expect(copy!.to).not.toBe(copy!.from)
  })

  it('copies within a full page too, and takes the longest common start', () => {
    const pages = new Pages(8)
    pass(pages, [...range(10), ...range(54, 100)])
    const second = pass(pages, [...range(40), ...range(24, 200)])
    const { tokens, copy } = pages.open([...range(30), 1, 2, 3])
    expect({ tokens, from: copy?.from }).toEqual({ tokens: 30, from: second.ids[0] })
  })

  it('always leaves the last token to be run', () => {
    for (const length of [1, 2, pageSize - 1, pageSize, pageSize + 1, 2 * pageSize]) {
      const pages = new Pages(8)
      pass(pages, range(length))
      expect(pass(pages, range(length)).cached, `${length} tokens`).toBe(length - 1)
      expect(pages.free).toBe(8)
    }
  })

  it('shares nothing between different starts, and nothing unfinished', () => {
    const pages = new Pages(8)
    pass(pages, range(100))
    expect(pages.open(range(100, 1)).tokens).toBe(0)
    const { pages: held } = pages.open(range(50, 500))
    pages.grow(held, 50)
    pages.share(held, range(50, 500))
    expect(pages.open(range(50, 500)).tokens).toBe(0)
  })

  it('lets a longer answer take the place of its own shorter start', () => {
    const pages = new Pages(8)
    pass(pages, range(20))
    pass(pages, range(40))
    const { tokens, copy } = pages.open(range(41))
    expect(tokens).toBe(40)
    expect(copy).toBeDefined()
  })
})

describe('eviction', () => {
  it('takes unused pages first, then the least recently used', () => {
    const pages = new Pages(3)
    const [a, b, c] = [range(pageSize), range(pageSize, 1000), range(pageSize, 2000)]
    const ids = [a, b, c].map((tokens) => pass(pages, tokens).ids[0])
    expect(new Set(ids).size).toBe(3)
    const again = pages.open([...a, 1]) // a is now younger than b
    pages.close(again.pages)
    expect(pass(pages, range(pageSize, 3000)).ids[0]).toBe(ids[1])
    const [left, gone] = [pages.open([...a, 1]), pages.open([...b, 1])]
    expect([left.tokens, gone.tokens]).toEqual([pageSize, 0])
  })

  it('never takes a held page, nor a parent before its children', () => {
    const pages = new Pages(4)
    const chain = pass(pages, range(3 * pageSize))
    const held = pages.open([...range(pageSize), 5, 6]).pages
    expect(idsOf(held)).toEqual([chain.ids[0]])
    const taken: Page[] = []
    expect(pages.grow(taken, 3 * pageSize)).toBe(true)
    expect(idsOf(taken)).toEqual([3, chain.ids[2], chain.ids[1]])
    expect(pages.grow(taken, 4 * pageSize)).toBe(false)
    expect(taken).toHaveLength(3)
    expect(pages.free).toBe(0)
    expect(held[0]!.tokens).toHaveLength(pageSize)
  })

  it('goes on without a copy when there is no room for one', () => {
    const pages = new Pages(2)
    pass(pages, range(20))
    const other: Page[] = []
    pages.grow(other, pageSize)
    const { tokens, copy, pages: held } = pages.open([...range(10), 99, 98])
    expect({ tokens, copy, held }).toEqual({ tokens: 0, copy: undefined, held: [] })
    pages.close(other)
    expect(pages.free).toBe(2)
  })
})

interface Running {
  tokens: number[]
  pages: Page[]
  valid: number
}

/** What stands in each page: per position the whole prefix it was computed from. */
class Twin {
  readonly pages: Pages
  readonly memory: string[][]
  readonly running: Running[] = []

  constructor(count: number) {
    this.pages = new Pages(count)
    this.memory = Array.from({ length: count }, () => [])
  }

  open(tokens: number[]): void {
    const prefix = this.pages.open(tokens)
    expect(prefix.tokens).toBeLessThan(tokens.length)
    if (prefix.copy) this.memory[prefix.copy.to] = [...this.memory[prefix.copy.from]!]
    this.running.push({ tokens, pages: prefix.pages, valid: prefix.tokens })
  }

  /** Runs up to `count` more tokens of a sequence. */
  advance(index: number, count: number): void {
    const sequence = this.#at(index)
    if (!sequence) return
    const end = Math.min(sequence.tokens.length, sequence.valid + count)
    const free = this.pages.free
    const missing = Math.ceil(end / pageSize) - sequence.pages.length
    const grown = this.pages.grow(sequence.pages, end)
    expect(grown).toBe(missing <= free)
    if (!grown) return
    for (let position = sequence.valid; position < end; position++)
      this.#write(sequence, position, sequence.tokens.slice(0, position + 1).join())
    sequence.valid = end
    this.pages.share(sequence.pages, sequence.tokens.slice(0, end))
  }

  /** Ends a sequence; passes that were in flight have written beyond what is valid. */
  close(index: number): void {
    const sequence = this.#at(index)
    if (!sequence) return
    for (let position = sequence.valid; position < sequence.pages.length * pageSize; position++)
      this.#write(sequence, position, 'in flight')
    this.pages.share(sequence.pages, sequence.tokens.slice(0, sequence.valid), true)
    this.pages.close(sequence.pages)
    this.running.splice(this.running.indexOf(sequence), 1)
  }

  check(): void {
    const holders = new Map<number, number>()
    for (const { pages, tokens, valid } of this.running) {
      expect(new Set(pages).size).toBe(pages.length)
      for (const { id } of pages) holders.set(id, (holders.get(id) ?? 0) + 1)
      for (let position = 0; position < valid; position++) {
        const found = this.memory[pages[Math.floor(position / pageSize)]!.id]![position % pageSize]
        if (found !== tokens.slice(0, position + 1).join()) expect(found, `position ${position}`).toBe(tokens.slice(0, position + 1).join())
      }
    }
    for (const { pages } of this.running) for (const page of pages) expect(page.holders).toBe(holders.get(page.id))
    expect(this.pages.free).toBe(this.pages.count - holders.size)
  }

  #at(index: number): Running | undefined {
    return this.running[index % Math.max(1, this.running.length)]
  }

  #write({ pages }: Running, position: number, value: string): void {
    this.memory[pages[Math.floor(position / pageSize)]!.id]![position % pageSize] = value
  }
}

describe('any order of openings, steps and ends', () => {
  // Few trunks and few places to leave them, so that prefixes meet often.
  const tokens = fc
    .tuple(
      fc.integer({ min: 0, max: 1 }),
      fc.constantFrom(1, 20, 63, 64, 65, 100, 128, 170),
      fc.integer({ min: 0, max: 2 }),
      fc.integer({ min: 1, max: 90 }),
    )
    .map(([trunk, length, branch, tail]) => [...Array(length).fill(trunk), ...Array(tail).fill(10 + branch)] as number[])
  const step = fc.oneof(
    fc.record({ kind: fc.constant('open' as const), tokens }),
    fc.record({ kind: fc.constant('advance' as const), index: fc.nat(20), count: fc.integer({ min: 1, max: 150 }) }),
    fc.record({ kind: fc.constant('advance' as const), index: fc.nat(20), count: fc.integer({ min: 1, max: 150 }) }),
    fc.record({ kind: fc.constant('close' as const), index: fc.nat(20) }),
  )

  it('keeps contents, holders and the number of pages right', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 9 }), fc.array(step, { maxLength: 40 }), (count, steps) => {
        const twin = new Twin(count)
        for (const action of steps) {
          if (action.kind === 'open') twin.open(action.tokens)
          else if (action.kind === 'advance') twin.advance(action.index, action.count)
          else twin.close(action.index)
          twin.check()
        }
        while (twin.running.length > 0) twin.close(0)
        expect(twin.pages.free).toBe(count)
        const everything: Page[] = []
        expect(twin.pages.grow(everything, count * pageSize)).toBe(true)
        expect(new Set(idsOf(everything)).size).toBe(count)
      }),
      { numRuns: 150 },
    )
  })
})
