// Who holds which pages of keys and values. Pages form a tree by their tokens: equal prefixes share pages, and what nobody holds any more
// stays as a cache until its room is needed, least recently used first. A picture's tokens are a number of its own (model/seen.ts).
import { pageSize } from '../kernels/rows.ts'

/** `tokens` is empty until the page's content is known and shared. */
export interface Page {
  readonly id: number
  holders: number
  tokens: readonly number[]
  parent: Page | undefined
  readonly children: Set<Page>
  used: number
}

/** What a new sequence starts with: pages it shares, and one it copies because it goes on differently within it. */
export interface Prefix {
  pages: Page[]
  /** Tokens whose keys and values are there already. */
  tokens: number
  copy: { from: number; to: number } | undefined
}

export class Pages {
  readonly #root: Set<Page> = new Set()
  readonly #all: Page[]
  #clock = 0

  constructor(count: number) {
    this.#all = Array.from({ length: count }, (_, id) => ({ id, holders: 0, tokens: [], parent: undefined, children: new Set(), used: 0 }))
  }

  get count(): number {
    return this.#all.length
  }

  /** Pages that no sequence holds. */
  get free(): number {
    return this.#all.filter((page) => page.holders === 0).length
  }

  /** The longest known prefix of `tokens`, held for a new sequence. The last token is always left to be run: its logits are wanted. */
  open(tokens: readonly number[]): Prefix {
    const most = tokens.length - 1
    const pages: Page[] = []
    let children = this.#root
    let length = 0
    for (;;) {
      const { page, common } = longest(children, tokens, length, most)
      if (!page || common === 0) return { pages, tokens: length, copy: undefined }
      if (common < pageSize) return this.#copied(pages, page, length, common)
      this.#hold(page)
      pages.push(page)
      length += common
      children = page.children
    }
  }

  #copied(pages: Page[], source: Page, length: number, common: number): Prefix {
    source.holders++ // so that making room does not take the very page to copy
    const page = this.#take()
    source.holders--
    if (!page) return { pages, tokens: length, copy: undefined }
    pages.push(page)
    return { pages, tokens: length + common, copy: { from: source.id, to: page.id } }
  }

  /** Makes room for `positions`; false when every page is held. */
  grow(pages: Page[], positions: number): boolean {
    while (pages.length * pageSize < positions) {
      const page = this.#take()
      if (!page) return false
      pages.push(page)
    }
    return true
  }

  /** Tells what stands in a sequence's pages, so that others can share it. `tokens` are those whose keys and values are valid. */
  share(pages: readonly Page[], tokens: readonly number[], partial = false): void {
    let siblings = this.#root
    let parent: Page | undefined
    for (const [index, page] of pages.entries()) {
      const own = tokens.slice(index * pageSize, (index + 1) * pageSize)
      if (own.length === 0 || (own.length < pageSize && !partial)) return
      if (page.tokens.length === 0) {
        // Another sequence made the same page meanwhile: this copy stays private.
        if ([...siblings].some((other) => startsWith(other.tokens, own))) return
        for (const other of siblings)
          if (other.holders === 0 && other.children.size === 0 && startsWith(own, other.tokens)) this.#forget(other)
        Object.assign(page, { tokens: own, parent })
        siblings.add(page)
      }
      parent = page
      siblings = page.children
    }
  }

  /** A sequence lets go of its pages; those that were shared stay as a cache. */
  close(pages: readonly Page[]): void {
    for (const page of pages) {
      page.holders--
      page.used = ++this.#clock
    }
  }

  #hold(page: Page): void {
    page.holders++
    page.used = ++this.#clock
  }

  #take(): Page | undefined {
    const candidates = this.#all.filter((page) => page.holders === 0 && page.children.size === 0)
    const page = candidates.find(({ tokens }) => tokens.length === 0) ?? candidates.sort((a, b) => a.used - b.used)[0]
    if (!page) return undefined
    this.#forget(page)
    this.#hold(page)
    return page
  }

  #forget(page: Page): void {
    ;(page.parent?.children ?? this.#root).delete(page)
    page.tokens = []
    page.parent = undefined
  }
}

function longest(
  children: ReadonlySet<Page>,
  tokens: readonly number[],
  from: number,
  most: number,
): { page: Page | undefined; common: number } {
  let best: { page: Page | undefined; common: number } = { page: undefined, common: 0 }
  for (const page of children) {
    let common = 0
    while (common < page.tokens.length && from + common < most && page.tokens[common] === tokens[from + common]) common++
    if (common > best.common) best = { page, common }
  }
  return best
}

const startsWith = (tokens: readonly number[], prefix: readonly number[]) =>
  prefix.length <= tokens.length && prefix.every((token, index) => token === tokens[index])
