// Tables in what a model wrote, as HTML or with bars as in Markdown: read into rows of plain text. Nothing of it is ever given to the browser as HTML; what is
// no table stays text. Every step goes forward only, and spans fill no more cells than the answer has characters.

export interface Cell {
  text: string
  head: boolean
  columns: number
  rows: number
}

export interface Table {
  kind: 'table'
  caption: string
  rows: Cell[][]
}

export type Piece = { kind: 'text'; text: string } | Table

/** An answer in its order: text, and the tables in it. A table that is cut off ends where the answer does. */
export function readPieces(answer: string): Piece[] {
  const text = unfenced(answer)
  const pieces: Piece[] = []
  let at = 0
  while (at < text.length) {
    tableMark.lastIndex = at
    const start = tableMark.exec(text)?.index ?? text.length
    if (start > at) pieces.push(...readBars(text.slice(at, start)))
    if (start === text.length) break
    const { table, end } = readHtml(text, start)
    if (table.rows.length > 0) pieces.push(table)
    at = end
  }
  return pieces.filter((piece) => piece.kind === 'table' || piece.text.trim() !== '')
}

/** Without the fence that a model puts around all of it. */
export function unfenced(answer: string): string {
  const text = answer.trim()
  if (!text.startsWith('```')) return text
  const first = text.indexOf('\n')
  const body = first < 0 ? '' : text.slice(first + 1)
  return body.endsWith('```') ? body.slice(0, -3).trimEnd() : body
}

// ── HTML ────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────

const tableMark = /<table(?=[\s>])/gi
const tag = /<(\/?)([a-z][a-z0-9]*)((?:\s[^<>]*)?)>/gi
/** Tags that mean a new line, and tags that mean nothing here; any other stays as it is written. */
const lines = new Set(['br', 'p', 'div', 'li'])
const mute = new Set([
  'thead',
  'tbody',
  'tfoot',
  'b',
  'strong',
  'i',
  'em',
  'u',
  's',
  'sub',
  'sup',
  'span',
  'font',
  'a',
  'ul',
  'ol',
  'colgroup',
  'col',
])
const widest = 100

/** Reads the table whose tag stands at `start`; one within it ends it. */
function readHtml(text: string, start: number): { table: Table; end: number } {
  const reading = new Rows()
  tag.lastIndex = start
  let from = start
  for (let found = tag.exec(text); found; found = tag.exec(text)) {
    const [whole, slash, word = '', attributes = ''] = found
    const name = word.toLowerCase()
    const closing = slash === '/'
    if (name === 'table' && !closing && found.index > start) {
      reading.text(text.slice(from, found.index))
      return { table: reading.table(), end: found.index }
    }
    if (!known(name)) continue
    reading.text(text.slice(from, found.index))
    from = found.index + whole.length
    if (name === 'table' && closing) return { table: reading.table(), end: from }
    reading.tag(name, closing, attributes)
  }
  reading.text(text.slice(from))
  return { table: reading.table(), end: text.length }
}

const known = (name: string): boolean => ['table', 'tr', 'td', 'th', 'caption'].includes(name) || lines.has(name) || mute.has(name)

/** Rows and cells as their tags come; end tags may be missing. */
class Rows {
  readonly #rows: Cell[][] = []
  #cell: Cell | undefined
  #caption: string | undefined
  #captionOpen = false

  text(text: string): void {
    if (this.#captionOpen) this.#caption += text
    else if (this.#cell) this.#cell.text += text
  }

  tag(name: string, closing: boolean, attributes: string): void {
    if (name === 'caption') {
      this.#captionOpen = !closing
      this.#caption ??= ''
      return
    }
    if (lines.has(name)) this.text('\n')
    if (name === 'tr') {
      this.#cell = undefined
      if (!closing) this.#rows.push([])
    }
    if (name !== 'td' && name !== 'th') return
    this.#captionOpen = false
    this.#cell = undefined
    if (closing) return
    this.#cell = { text: '', head: name === 'th', columns: span(attributes, 'colspan'), rows: span(attributes, 'rowspan') }
    if (this.#rows.length === 0) this.#rows.push([])
    this.#rows.at(-1)!.push(this.#cell)
  }

  table(): Table {
    const rows = this.#rows.filter((row) => row.length > 0)
    for (const cell of rows.flat()) cell.text = plain(cell.text)
    return { kind: 'table', caption: plain(this.#caption ?? ''), rows }
  }
}

function span(attributes: string, name: string): number {
  const found = attributes.toLowerCase().split(name)[1]
  const value = Number(/^\s?=\s?["']?(\d{1,4})/.exec(found ?? '')?.[1] ?? 1)
  return Math.min(Math.max(value, 1), widest)
}

const entities: Record<string, string> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'", nbsp: ' ' }

/** What stands between tags: entities are characters, space is one space, and lines stay lines. */
function plain(text: string): string {
  const said = text.replace(/&(?:#(\d{1,7})|#x([\da-f]{1,6})|([a-z]{2,5}));/gi, (whole, decimal, hex, name) => {
    if (name) return Object.hasOwn(entities, name.toLowerCase()) ? entities[name.toLowerCase()]! : whole
    const code = decimal ? Number(decimal) : Number.parseInt(hex, 16)
    return code > 0 && code <= 0x10ffff && !(code >= 0xd800 && code < 0xe000) ? String.fromCodePoint(code) : whole
  })
  return said
    .split('\n')
    .map((line) => line.split(/\s+/).filter(Boolean).join(' '))
    .filter(Boolean)
    .join('\n')
}

// ── bars ────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────

/** Text with tables of bars in it: a line of heads, a line of dashes with as many cells, and the lines with bars that follow. */
function readBars(text: string): Piece[] {
  const all = text.split('\n')
  const pieces: Piece[] = []
  let plainLines: string[] = []
  const end = () => {
    if (plainLines.length > 0) pieces.push({ kind: 'text', text: plainLines.join('\n') })
    plainLines = []
  }
  for (let at = 0; at < all.length; ) {
    const heads = all[at]!.includes('|') && isRule(all[at + 1]) ? cellsOf(all[at]!) : []
    if (heads.length === 0 || heads.length !== cellsOf(all[at + 1]!).length) {
      plainLines.push(all[at++]!)
      continue
    }
    end()
    const rows = [heads.map((one) => barCell(one, true))]
    for (at += 2; at < all.length && all[at]!.includes('|'); at++) {
      const cells = cellsOf(all[at]!).slice(0, heads.length)
      rows.push(cells.map((one) => barCell(one, false)))
    }
    pieces.push({ kind: 'table', caption: '', rows })
  }
  end()
  return pieces
}

const barCell = (text: string, head: boolean): Cell => ({ text: plain(text.replace(/<br ?\/?>/gi, '\n')), head, columns: 1, rows: 1 })

const isRule = (line = ''): boolean => line.includes('-') && cellsOf(line).every((cell) => /^:?-+:?$/.test(cell))

/** Between bars; a bar behind a backslash is one of the text. */
function cellsOf(line: string): string[] {
  const cells: string[] = []
  let cell = ''
  const text = line.trim()
  for (let at = text.startsWith('|') ? 1 : 0; at < text.length; at++) {
    if (text[at] === '\\' && text[at + 1] === '|') cell += text[++at]
    else if (text[at] === '|') {
      cells.push(cell.trim())
      cell = ''
    } else cell += text[at]
  }
  if (cell.trim() !== '' || cells.length === 0) cells.push(cell.trim())
  return cells
}

// ── as rows, CSV and Markdown ───────────────────────────────────────────────────────────────────────────────────────────────────────────────

/** Cells that short rows are filled up to, at most. */
const most = 200_000

/** Every row with every column: a cell that spans several stands in the first, and the others are empty. */
export function gridOf({ rows }: Table): string[][] {
  const grid: string[][] = rows.map(() => [])
  let room = 1000 + rows.flat().reduce((sum, { text }) => sum + text.length + 10, 0)
  let width = 0
  for (const [y, row] of rows.entries()) {
    let x = 0
    for (const cell of row) {
      while (grid[y]![x] !== undefined) x++
      const down = Math.min(cell.rows, rows.length - y)
      room -= down * cell.columns
      const [high, wide] = room > 0 ? [down, cell.columns] : [1, 1]
      for (let below = 0; below < high; below++) for (let right = 0; right < wide; right++) grid[y + below]![x + right] ??= ''
      grid[y]![x] = cell.text
      x += wide
    }
    width = Math.max(width, grid[y]!.length)
  }
  const filled = width * rows.length <= most
  return grid.map((row) => Array.from({ length: filled ? width : row.length }, (_, column) => row[column] ?? ''))
}

/** For spreadsheets: a field with a comma, a quote or a line of its own stands in quotes. */
export const csvOf = (table: Table): string => {
  const field = (text: string) => (/[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text)
  return gridOf(table)
    .map((row) => `${row.map(field).join(',')}\r\n`)
    .join('')
}

/** What would read as a tag or an entity is written as one. */
const barText = (text: string): string =>
  text
    .replace(/&(?=#?\w+;)/g, '&amp;')
    .replace(/<(?=[a-z/])/gi, '&lt;')
    .replaceAll('|', '\\|')
    .replaceAll('\n', '<br>')

export function barsOf(table: Table): string {
  const grid = gridOf(table)
  const written = grid.map((row) => `| ${row.map(barText).join(' | ')} |`)
  const columns = grid[0]?.length ?? 0
  return [...(table.caption ? [table.caption, ''] : []), written[0], `|${' --- |'.repeat(columns)}`, ...written.slice(1)].join('\n')
}
