// Rows → a Markdown table, and rows → lines of JSON. The columns are data.

const number = (digits) => (value) => value.toFixed(digits)
/** Three digits that count: 0.123, 1.23, 12.3, 123. */
const speed = (value) => number(value >= 99.5 ? 0 : value >= 9.95 ? 1 : value >= 0.995 ? 2 : 3)(value)

export const columns = [
  {
    title: 'engine',
    of: (row) => [row.engine, ...(row.without ?? []).map((name) => `without ${name}`), ...(row.variant ? [row.variant] : [])].join(', '),
  },
  { title: 'adapter', key: 'adapter' },
  { title: 'shape', key: 'shape' },
  { title: 'prompt', key: 'prompt', right: true },
  { title: 'context', of: (row) => row.context ?? row.prompt, right: true },
  { title: 'rows', key: 'rows', right: true },
  { title: 'prefill tok/s', key: 'prefill_tok_s', format: speed, right: true },
  { title: 'decode tok/s', key: 'decode_tok_s', format: speed, right: true },
  { title: 'first token ms', key: 'ttft_ms', format: number(0), right: true },
  { title: 'GPU ms/token', key: 'gpu_ms_per_token', format: number(2), right: true },
  { title: 'host ms/token', key: 'host_ms_per_token', format: number(3), right: true },
  { title: 'dispatches/token', key: 'dispatches_per_token', format: number(1), right: true },
  { title: 'submits/token', key: 'submits_per_token', format: number(2), right: true },
  { title: 'bind groups/token', key: 'bind_groups_per_token', format: number(2), right: true },
  { title: 'reads/token', key: 'reads_per_token', format: number(2), right: true },
  { title: 'of stream read', key: 'stream_share', format: (value) => `${(100 * value).toFixed(0)} %`, right: true },
  { title: 'load', key: 'load', format: number(1), right: true },
  {
    title: 'note',
    of: (row) => [row.measured === 'stored' ? 'stored reading' : '', row.failed ?? '', row.note ?? ''].filter(Boolean).join('; '),
  },
]

export function table(rows) {
  const line = (cells) => `| ${cells.join(' | ')} |`
  return [
    line(columns.map(({ title }) => title)),
    line(columns.map(({ right }) => (right ? '---:' : '---'))),
    ...rows.map((row) => line(columns.map((column) => cell(column, row)))),
  ].join('\n')
}

export const jsonLines = (rows) => rows.map((row) => JSON.stringify(row)).join('\n')

function cell({ key, of, format }, row) {
  const value = of ? of(row) : row[key]
  if (value === undefined || value === null || Number.isNaN(value)) return '–'
  const text = format && typeof value === 'number' ? format(value) : String(value)
  return text.replace(/\|/g, '/').replace(/\s+/g, ' ')
}
