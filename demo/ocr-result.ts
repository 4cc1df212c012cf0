// What was read, as the page shows it and as it is taken away: text, tables as real tables, fields as a form that is only read; copied, or as files.
import type { FinishReason, SeenReport, Timings, Usage } from 'glm-webgpu'
import { say } from './language.ts'
import { type Field, readFields } from './ocr-fields.ts'
import { barsOf, csvOf, gridOf, type Piece, readPieces, type Table } from './ocr-table.ts'
import { answerIn, type Task } from './ocr-tasks.ts'
import { announce } from './speech.ts'
import { make, part } from './view.ts'

export interface Reading {
  task: Task
  /** The same for the same model, task and fields. */
  key: string
  /** Fields, as they were named. */
  asked: string
  text: string
  state: 'running' | 'done' | 'stopped' | 'failed'
  /** Who read it, and what its licence wants shown. */
  title: string
  notice: string | undefined
  seen?: SeenReport | undefined
  finish?: FinishReason | undefined
  usage?: Usage | null | undefined
  timings?: Timings | undefined
}

/** A page's name and what was read of it. */
export interface Read {
  name: string
  reading: Reading
}

interface Content {
  pieces: Piece[]
  tables: Table[]
  /** Where fields were asked for and the answer is JSON. */
  fields?: { json: unknown; fields: Field[] }
}

function contentOf({ task, text, asked }: Reading): Content {
  const answer = answerIn(text)
  const fields = task === 'fields' ? readFields(answer, asked) : undefined
  const pieces = fields ? [] : readPieces(answer)
  return { pieces, tables: pieces.filter((piece) => piece.kind === 'table'), ...(fields ? { fields } : {}) }
}

// ── on the page ─────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────

/** While it is being read it is plain text; what it is shows at the end. */
export function resultOf(reading: Reading): HTMLElement[] {
  if (reading.state === 'running') return [textOf(reading.text, reading.task)]
  const { pieces, fields } = contentOf(reading)
  if (fields) return [formOf(fields.fields)]
  const shown = pieces.map((piece) => (piece.kind === 'table' ? tableOf(piece) : textOf(piece.text.trim(), reading.task)))
  if (reading.task === 'fields' && pieces.length > 0) shown.unshift(make('p', { className: 'small muted', textContent: say('ocrNoJson') }))
  return shown
}

const textOf = (text: string, task: Task): HTMLElement =>
  make('div', { className: task === 'formula' || task === 'fields' ? 'text code' : 'text', dir: 'auto', textContent: text })

function tableOf({ caption, rows }: Table): HTMLElement {
  const lines = rows.map((row) =>
    make(
      'tr',
      {},
      ...row.map(({ text, head, columns, rows }) => {
        const cell = make(head ? 'th' : 'td', { textContent: text, colSpan: columns, rowSpan: rows })
        if (head) cell.setAttribute('scope', 'col')
        return cell
      }),
    ),
  )
  const table = make('table', {}, ...(caption ? [make('caption', { textContent: caption })] : []), make('tbody', {}, ...lines))
  table.dataset.testid = 'ocr-table'
  const around = make('div', { className: 'scrolls', tabIndex: 0, role: 'region' }, table)
  around.ariaLabel = caption || say('ocrTable')
  return around
}

function formOf(fields: readonly Field[]): HTMLElement {
  const list = make(
    'div',
    { className: 'filled' },
    ...fields.map(({ name, value }) => {
      const field = make('textarea', { readOnly: true, rows: 1, value, placeholder: say('ocrEmptyField') })
      return make('label', {}, make('span', { className: 'small muted', textContent: name }), field)
    }),
  )
  list.dataset.testid = 'ocr-form-out'
  return list
}

// ── taken away ──────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────

type Form = 'txt' | 'md' | 'csv' | 'json'
const types: Record<Form, string> = { txt: 'text/plain', md: 'text/markdown', csv: 'text/csv', json: 'application/json' }

/** Of one page: a table's columns stand at tabs in text, and in Markdown it is one of bars. */
const writers: Record<Form, (read: Read) => string> = {
  txt: ({ reading }) =>
    written(reading, (table) =>
      gridOf(table)
        .map((row) => row.map((text) => text.replaceAll('\n', ' ')).join('\t'))
        .join('\n'),
    ),
  md: ({ reading }) => written(reading, barsOf),
  csv: ({ reading }) => contentOf(reading).tables.map(csvOf).join('\r\n'),
  json: ({ name, reading }) => {
    const { tables, fields } = contentOf(reading)
    const found = fields
      ? { fields: fields.json }
      : { text: written(reading, barsOf), ...(tables.length > 0 ? { tables: tables.map(gridOf) } : {}) }
    return JSON.stringify({ file: name, model: reading.title, task: reading.task, ...found }, null, 2)
  },
}

function written(reading: Reading, table: (table: Table) => string): string {
  const { pieces, fields } = contentOf(reading)
  if (fields) return fields.fields.map(({ name, value }) => `${name}: ${value}`).join('\n')
  return pieces.map((piece) => (piece.kind === 'table' ? table(piece) : piece.text.trim())).join('\n\n')
}

/** `current` is what is shown, `all` everything that was read. */
export function startResult(current: () => Read | undefined, all: () => Read[]): void {
  part('ocr-copy').addEventListener('click', () => void copy(current()))
  for (const form of Object.keys(types) as Form[]) {
    part(`ocr-${form}`).addEventListener('click', () => {
      const read = current()
      if (read) save(writers[form](read), form, read.name)
    })
  }
  part('ocr-all').addEventListener('click', () => save(all().map(writers.md).join('\n\n---\n\n'), 'md', say('ocrAllName')))
}

export function writeOuts(read: Read | undefined, count: number): void {
  const content = read && contentOf(read.reading)
  part('ocr-out').hidden = !read || read.reading.state === 'running' || read.reading.text === ''
  part('ocr-csv').hidden = !content || content.tables.length === 0
  part('ocr-all').hidden = count < 2
  part('ocr-news').textContent = ''
}

async function copy(read: Read | undefined): Promise<void> {
  if (!read) return
  const news = await navigator.clipboard.writeText(writers.md(read)).then(
    () => say('ocrCopied'),
    () => say('ocrCopyFailed'),
  )
  part('ocr-news').textContent = news
  announce(news)
}

/** Spreadsheets take a CSV for UTF-8 where it begins with the mark. */
function save(text: string, form: Form, name: string): void {
  const file = new Blob([form === 'csv' ? '\uFEFF' : '', text, form === 'csv' ? '' : '\n'], { type: `${types[form]};charset=utf-8` })
  const href = URL.createObjectURL(file)
  make('a', { href, download: `${name.replace(/\.\w{1,5}$/, '') || 'page'}.${form}` }).click()
  setTimeout(() => URL.revokeObjectURL(href), 10_000)
}
