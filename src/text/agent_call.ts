// A call as the phone agent writes it, part by part: names, signs, texts in quotes, whole numbers and lists of them; all of it is Python, too.

/** Why something is no action. */
export class Unreadable extends Error {}

export type Value = string | number | number[]

const ESCAPES: Record<string, string> = { n: '\n', r: '\r', t: '\t', '"': '"', "'": "'", '\\': '\\' }

/** Goes through a call from left to right; space between its parts means nothing. */
export class Reader {
  readonly #text: string
  #at = 0

  constructor(text: string) {
    this.#text = text
  }

  /** Where the next part starts. */
  place(): number {
    while (/\s/.test(this.#text[this.#at] ?? '')) this.#at++
    return this.#at
  }

  ahead(part: string): boolean {
    return this.#text.startsWith(part, this.place())
  }

  skip(part: string): boolean {
    const found = this.ahead(part)
    if (found) this.#at += part.length
    return found
  }

  expect(part: string): void {
    if (!this.skip(part)) throw new Unreadable(`Character ${this.#at} is no "${part}".`)
  }

  end(): void {
    if (this.place() < this.#text.length) throw new Unreadable(`Something stands behind the call, at character ${this.#at}.`)
  }

  word(): string {
    const start = this.place()
    while (/\w/.test(this.#text[this.#at] ?? '')) this.#at++
    if (this.#at === start) throw new Unreadable(`Character ${start} is neither a name nor a value.`)
    return this.#text.slice(start, this.#at)
  }

  value(): Value {
    if (this.ahead('"') || this.ahead("'")) return this.#string()
    if (!this.skip('[')) return this.#number()
    const list: number[] = []
    while (!this.skip(']')) {
      if (list.length > 0) this.expect(',')
      list.push(this.#number())
    }
    return list
  }

  #number(): number {
    const word = this.word()
    if (!/^\d{1,6}$/.test(word)) throw new Unreadable(`A value is no text, list or whole number, before character ${this.#at}.`)
    return Number(word)
  }

  #string(): string {
    const quote = this.#text[this.place()]!
    let result = ''
    for (this.#at++; this.#at < this.#text.length; this.#at++) {
      const character = this.#text[this.#at]!
      if (character === quote) {
        this.#at++
        return result
      }
      result += character === '\\' ? this.#escape() : character
    }
    throw new Unreadable('A text has no end.')
  }

  /** As Python reads them; a backslash before anything else stays. */
  #escape(): string {
    const next = this.#text[this.#at + 1] ?? ''
    const code = /^(?:u([\da-fA-F]{4})|x([\da-fA-F]{2}))/.exec(this.#text.slice(this.#at + 1, this.#at + 6))
    if (code) {
      this.#at += code[0].length
      return String.fromCharCode(Number.parseInt(code[1] ?? code[2]!, 16))
    }
    if (!Object.hasOwn(ESCAPES, next)) return '\\'
    this.#at++
    return ESCAPES[next]!
  }
}

/** The text from the quote at `at` to the same quote before the closing parenthesis, as it stands. */
export function toTheEnd(written: string, at: number): string {
  const quote = written[at]
  const closed = written.endsWith(')') ? written.slice(0, -1).trimEnd() : ''
  if ((quote !== '"' && quote !== "'") || closed.length < at + 2 || !closed.endsWith(quote))
    throw new Unreadable('A text is not in quotes, or the call is cut off.')
  return closed.slice(at + 1, -1)
}
