// What the page that reads makes of an answer: tables of both kinds, fields, files; and that no answer makes it throw, or work more than its length.
import { readdirSync, readFileSync } from 'node:fs'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { messagesOf, systemPrompt } from '../../demo/agent-prompt.ts'
import { fieldsJson, readFields } from '../../demo/ocr-fields.ts'
import { barsOf, csvOf, gridOf, readPieces, type Table, unfenced } from '../../demo/ocr-table.ts'
import { answerIn, pictureTokens, promptOf } from '../../demo/ocr-tasks.ts'

const tables = (answer: string) => readPieces(answer).filter((piece) => piece.kind === 'table')
const only = (answer: string): Table => {
  const found = tables(answer)
  expect(found.length).toBe(1)
  return found[0]!
}
const texts = (answer: string) => only(answer).rows.map((row) => row.map(({ text }) => text))

describe('tables in HTML', () => {
  const cases: [string, string, string[][]][] = [
    [
      'as GLM-OCR writes them',
      '<table border="1"><tr><td>a</td><td>-1,2</td></tr><tr><td></td><td>b</td></tr></table>',
      [
        ['a', '-1,2'],
        ['', 'b'],
      ],
    ],
    [
      'with parts and heads',
      '<table><thead><tr><th>A</th></tr></thead>\n<tbody>\n<tr>\n<td> b \n c </td></tr></tbody></table>',
      [['A'], ['b\nc']],
    ],
    ['without end tags', '<table><tr><td>a<td>b<tr><td>c', [['a', 'b'], ['c']]],
    ['cut off in a tag', '<table><tr><td>a</td><td', [['a']]],
    ['in capitals', '<TABLE><TR><TD>a</TD></TR></TABLE>', [['a']]],
    ['with tags in cells', '<table><tr><td><b>a</b> <i>b</i><br>c<p>d</p></td></tr></table>', [['a b\nc\nd']]],
    [
      'with tags that are none of ours',
      '<table><tr><td>a<script>alert(1)</script><img src=x onerror=y></td></tr></table>',
      [['a<script>alert(1)</script><img src=x onerror=y>']],
    ],
    [
      'with entities',
      '<table><tr><td>&lt;b&gt; &amp;amp; &quot;&#65;&#x4f60;&apos; &nbsp;&zwnj;&#0;&#xD800;&#99999999;</td></tr></table>',
      [['<b> &amp; "A你\' &zwnj;&#0;&#xD800;&#99999999;']],
    ],
    ['with cells outside rows', '<table><td>a</td><td>b</td></table>', [['a', 'b']]],
    ['with signs that look like tags', '<table><tr><td>1 < 2 <3 a<b></td></tr></table>', [['1 < 2 <3 a']]],
  ]
  test.each(cases)('%s', (_, answer, expected) => expect(texts(answer)).toEqual(expected))

  test('a head, a caption and spans', () => {
    const { caption, rows } = only('<table><caption>Sums</caption><tr><th colspan="2" rowspan=3>A</th><td colspan=0>b</td></tr></table>')
    expect(caption).toBe('Sums')
    expect(rows[0]).toEqual([
      { text: 'A', head: true, columns: 2, rows: 3 },
      { text: 'b', head: false, columns: 1, rows: 1 },
    ])
  })

  test('text stays where it was, and a table in a table is one behind it', () => {
    const pieces = readPieces('Before\n<table><tr><td>a<table><tr><td>b</td></tr></table></td></tr></table>\nafter <tables> 1 < 2')
    expect(pieces.map((piece) => (piece.kind === 'text' ? piece.text.trim() : piece.rows.flat().map(({ text }) => text)))).toEqual([
      'Before',
      ['a'],
      ['b'],
      '</td></tr></table>\nafter <tables> 1 < 2',
    ])
  })
})

describe('tables of bars', () => {
  const cases: [string, string, string[][]][] = [
    [
      'plain',
      '| a | b |\n|---|:-:|\n| 1 | 2 |',
      [
        ['a', 'b'],
        ['1', '2'],
      ],
    ],
    [
      'without outer bars',
      'a | b\n--- | ---\n1 | 2',
      [
        ['a', 'b'],
        ['1', '2'],
      ],
    ],
    ['one column', '| a |\n| - |\n| 1 |', [['a'], ['1']]],
    [
      'a bar in a cell, a line in a cell',
      '| a | b |\n|---|---|\n| x \\| y | 1<br>2 |',
      [
        ['a', 'b'],
        ['x | y', '1\n2'],
      ],
    ],
    ['rows too long and too short', '| a | b |\n|---|---|\n| 1 |\n| 1 | 2 | 3 |', [['a', 'b'], ['1'], ['1', '2']]],
    [
      'empty cells',
      '| a |  |\n|---|---|\n|  | 2 |',
      [
        ['a', ''],
        ['', '2'],
      ],
    ],
  ]
  test.each(cases)('%s', (_, answer, expected) => expect(texts(answer)).toEqual(expected))

  test.each(['a | b\n1 | 2', '| a | b |\n|---|\n| 1 | 2 |', '---\n---', 'a\n---\nb', '|\n|', 'x | y\n- item'])('%j is none', (answer) =>
    expect(tables(answer)).toEqual([]),
  )

  test('text before and behind', () => {
    const pieces = readPieces('# Title\n\n| a |\n|---|\n| 1 |\n\nEnd')
    expect(pieces.map(({ kind }) => kind)).toEqual(['text', 'table', 'text'])
  })
})

describe('taken away', () => {
  const table = only(
    '<table><tr><th rowspan="2">A, "x"</th><td colspan="2">b</td></tr><tr><td>c|d</td><td>e<br>f</td></tr><tr><td>=1</td></tr></table>',
  )

  test('spans are filled with nothing', () =>
    expect(gridOf(table)).toEqual([
      ['A, "x"', 'b', ''],
      ['', 'c|d', 'e\nf'],
      ['=1', '', ''],
    ]))

  test('as CSV', () => expect(csvOf(table)).toBe('"A, ""x""",b,\r\n,c|d,"e\nf"\r\n=1,,\r\n'))

  test('as Markdown, which reads as the same', () => {
    const written = barsOf(table)
    expect(written.split('\n')[1]).toBe('| --- | --- | --- |')
    expect(gridOf(only(written))).toEqual(gridOf(table))
  })
})

describe('any answer', () => {
  const part = fc.constantFrom(
    ...[
      '<table>',
      '</table>',
      '<tr>',
      '<td>',
      '<td colspan="99" rowspan="99">',
      '<th rowspan=7>',
      '</td>',
      '<caption>',
      '<table',
      '<',
      '>',
      '&lt;',
    ],
    ...['|', '\\|', '---', ':-:', '\n', '| a | b |\n|---|---|\n', '```\n', ' ', '{"a": "', '[', '}', '"', '</think>', 'text', '你'],
  )
  const answer = fc.array(fc.oneof(part, fc.string({ maxLength: 4 })), { maxLength: 60 }).map((parts) => parts.join(''))

  test('a cell that reads like a tag stays text in bars', () => {
    const table = only('<table><td>&lt;table > &amp;lt; R&D 1 < 2<td><table')
    expect(barsOf(table)).toBe('| &lt;table > &amp;lt; R&D 1 < 2 | &lt;table |\n| --- | --- |')
    expect(gridOf(only(barsOf(table)))).toEqual(gridOf(table))
  })

  test('becomes pieces, grids and files, and never throws', () => {
    fc.assert(
      fc.property(answer, (text) => {
        for (const table of tables(answerIn(text))) {
          const grid = gridOf(table)
          expect(new Set(grid.map(({ length }) => length)).size).toBe(1)
          expect(csvOf(table).length).toBeGreaterThanOrEqual(grid.length)
          expect(gridOf(only(barsOf({ ...table, caption: '' })))).toEqual(grid)
        }
        for (const { name, value } of readFields(text)?.fields ?? []) expect(typeof name + typeof value).toBe('stringstring')
        fieldsJson(text)
      }),
      { numRuns: 2000 },
    )
  })

  const long = (part: string) => part.repeat(Math.ceil(100_000 / part.length))
  const hostile = [
    ...[
      '<',
      '<table>',
      '<table ',
      '<td',
      '<td ',
      '<td><',
      '<tr><td colspan=99 rowspan=99>',
      '|',
      '| ',
      '|-',
      '- |',
      '&',
      '&#',
      '\n',
      ' ',
      '\\|',
      '```',
      '{',
      '[{',
      '"',
    ],
    ...['a|b\n-|-\n', '<p>', '<table><caption>', '</think>', '</', '<br', '\n|', '- - '],
  ]
  test.each(hostile)('100,000 characters of %j take a moment', (part) => {
    for (const text of [
      long(part),
      `<table><tr><td>${long(part)}`,
      `a | b\n--- | ---\n${long(part)}`,
      `|${'a|'.repeat(1000)}\n|${'-|'.repeat(1000)}\n${long(part)}`,
    ]) {
      const start = process.cpuUsage().user
      for (const table of tables(answerIn(text))) {
        csvOf(table)
        barsOf(table)
      }
      readFields(text)
      fieldsJson(text)
      expect(process.cpuUsage().user - start).toBeLessThan(5e6) // µs: 50 for a character
    }
  })
})

describe('fields', () => {
  test('names become JSON to fill in, in their order and once', () =>
    expect(fieldsJson(' Total \n2\n日期，"x";Total')).toBe('{\n    "Total": "",\n    "2": "",\n    "日期": "",\n    "\\"x\\"": ""\n}'))

  test('JSON is taken as it is', () => expect(JSON.parse(fieldsJson('{"a": {"b": ""}}')!)).toEqual({ a: { b: '' } }))

  test.each(['', ' \n ', '{', '{}', '{"a"}'])('%j is none', (asked) => expect(fieldsJson(asked)).toBeUndefined())

  test('an answer becomes names and values, fenced or with words around', () => {
    const json = '{"a": "1", "b": {"c": null, "d": ["x", 2]}, "__proto__": true}'
    const fields = [
      { name: 'a', value: '1' },
      { name: 'b › c', value: '' },
      { name: 'b › d › 1', value: 'x' },
      { name: 'b › d › 2', value: '2' },
      { name: '__proto__', value: 'true' },
    ]
    for (const answer of [json, `\`\`\`json\n${json}\n\`\`\``, `Here: ${json} as asked.`])
      expect(readFields(answer)?.fields).toEqual(fields)
  })

  test('what was asked for and is not there stands empty', () => {
    const { json, fields } = readFields('{"b": {"c": "1"}, "d": "2"}', 'a\nb\nd')!
    expect(fields).toEqual([
      { name: 'b › c', value: '1' },
      { name: 'd', value: '2' },
      { name: 'a', value: '' },
    ])
    expect(json).toEqual({ b: { c: '1' }, d: '2' })
  })

  test.each(['', 'no', '{"a": ', '3', `${'['.repeat(1e5)}${']'.repeat(1e5)}`])('an answer that is none', (answer) =>
    expect(readFields(answer)).toBeUndefined(),
  )
})

test('no module of the demo is there for its effects alone: a build drops it, since package.json says that none has any', () => {
  const folder = new URL('../../demo/', import.meta.url)
  const modules = readdirSync(folder).filter((file) => file.endsWith('.ts'))
  expect(modules.filter((file) => /^import '[^']+\.ts'/m.test(readFileSync(new URL(file, folder), 'utf8')))).toEqual([])
})

test('prompts are those of the model card', () => {
  expect(promptOf('text', '')).toBe('Text Recognition:')
  expect(promptOf('table', '')).toBe('Table Recognition:')
  expect(promptOf('formula', '')).toBe('Formula Recognition:')
  expect(promptOf('fields', 'a')).toBe('请按下列JSON格式输出图中信息:\n{\n    "a": ""\n}')
  expect(promptOf('fields', ' ')).toBeUndefined()
})

test('a picture leaves room for what is read', () => {
  expect([256, 4096, 8192, 131072].map(pictureTokens)).toEqual([153, 2457, 4000, 4000])
})

test('what a model thinks is no part of its answer, and fences are none of the text', () => {
  expect(answerIn('<think>a</think>\n<answer>b</answer>')).toBe('b')
  expect(answerIn('<|begin_of_box|>b<|end_of_box|>')).toBe('b')
  expect(unfenced('```markdown\na\n```')).toBe('a')
  expect(unfenced('```')).toBe('')
  expect(unfenced('a ``` b')).toBe('a ``` b')
})

describe('how the phone agent is asked', () => {
  test('the screenshot, then the task and the app in front', () => {
    const screen = new Uint8Array(1)
    expect(messagesOf({ screen, task: ' Pay ', app: '微信', system: 's' })).toEqual([
      { role: 'system', content: 's' },
      {
        role: 'user',
        content: [
          { type: 'image', image: screen },
          { type: 'text', text: 'Pay\n\n{"current_app": "微信"}' },
        ],
      },
    ])
    expect(JSON.stringify(messagesOf({ screen, task: 'a', app: '', system: '' }))).toContain('System Home')
  })

  test('the date comes first', () => {
    const day = new Date(2026, 10, 1)
    expect(systemPrompt('en', day)).toMatch(/^The current date: 2026-11-01, Sunday\n/)
    expect(systemPrompt('zh', day)).toMatch(/^今天的日期是: 2026年11月01日 星期日\n/)
  })
})
