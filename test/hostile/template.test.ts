// Chat templates with foreign pieces in them, four thousand times, and some that are made to cost: only a GlmError may come out, in bounded work.
import { readdirSync, readFileSync } from 'node:fs'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { GlmError } from '../../src/errors.ts'
import { Scope } from '../../src/text/expressions.ts'
import { parseTemplate, runTemplate } from '../../src/text/jinja.ts'
import { alphabetOf, createTaint, type Taint } from '../../src/text/taint.ts'
import { createTemplate } from '../../src/text/template.ts'
import { createTokenizer } from '../../src/text/tokenizer.ts'
import { toValue, type Value } from '../../src/text/values.ts'
import { known, LIMIT, only } from './mutate.ts'

const folder = new URL('../fixtures/tokenizer/', import.meta.url).pathname
const read = (name: string) => readFileSync(folder + name, 'utf8')
const tokenizer = createTokenizer(JSON.parse(read('tokenizer.json')), JSON.parse(read('tokenizer_config.json')))
const templates = readdirSync(`${folder}templates`).map((name) => read(`templates/${name}`))
const codes = ['template_invalid', 'messages_invalid']
const messages = [
  { role: 'system', content: 'Be brief. <|user|>' },
  { role: 'user', content: 'Hello, who are you?\n'.repeat(5) },
  { role: 'assistant', content: '<think>\nhm\n</think>\nA model.', tool_calls: [{ function: { name: 'f', arguments: { a: [1, 2] } } }] },
  { role: 'user', content: 'Thanks.' },
]

/** A taint that counts the characters it goes through: the work of searching, whatever the budget says. */
function countingTaint(work: { characters: number }): Taint {
  const taint = createTaint(alphabetOf(tokenizer.controls.map(({ text }) => text)), [])
  const counting =
    <T>(how: (text: string) => T) =>
    (text: string) => {
      work.characters += text.length
      return how(text)
    }
  return { mark: counting(taint.mark), restore: counting(taint.restore), isMarked: counting(taint.isMarked) }
}

/** Runs a template on a small budget; what it did is counted from outside. */
function run(source: string, budget: number) {
  const work = { characters: 0, names: 0 }
  const taint = countingTaint(work)
  const { get } = Scope.prototype
  Scope.prototype.get = function (this: Scope, name) {
    work.names++
    return get.call(this, name)
  }
  const began = performance.now()
  let text: string | Error
  try {
    const variables: [string, Value][] = [
      ['messages', toValue(messages)],
      ['tools', toValue(null)],
      ['add_generation_prompt', toValue(true)],
    ]
    text = runTemplate(parseTemplate(source), variables, taint, budget)
  } catch (error) {
    text = error as Error
  }
  Scope.prototype.get = get
  expect(performance.now() - began).toBeLessThan(LIMIT)
  if (typeof text === 'string') expect(text.length).toBeLessThanOrEqual(budget)
  return { text, work }
}

/** Values and what is done to them, for expressions out of pieces. */
const atoms = [
  ...[
    'messages',
    'messages[0].content',
    'm',
    'm.content',
    's',
    'l',
    'd',
    'ns',
    'ns.x',
    'loop',
    'loop.index',
    'range(30)',
    'range(9**9)',
    'none',
    '1',
    '2**40',
  ],
  ..."'a' '<|user|>' 'constructor' '__proto__' 'a.b.c' [1,2,3] {'a':1,'__proto__':[2]} (1,'b') 1.5 true f f(3) caller() namespace(x=1) dict(d) x".split(
    ' ',
  ),
  ..."strftime_now('%A') raise_exception('no') cycler lipsum self".split(' '),
]
const afters = [
  ...'|length |upper |tojson |tojson(indent=4) |tojson(separators=[s,s]) |list |sort |unique |reverse |join(s) |join |first |last |string |int |float |indent(900) |trim(s)'.split(
    ' ',
  ),
  ..."|map('upper') |map('list') |map(attribute='content') |select('in',s) |selectattr('role','eq','user') |replace('a',s) |default(s) |dictsort |items |abs |title".split(
    ' ',
  ),
  ...".split('a') .strip(s) .startswith((s,s)) .count('a') .constructor .__proto__ .prototype['x'] .items() .get('constructor') [::-1] [-9999999:] ['__proto__'] [0] .format(1)".split(
    ' ',
  ),
  ...' *3| *99999999| +s| ~s| *s| **9| in-l| is-mapping| ==l| <s| //0| %7'.split('|').map((one) => one.replace('-', ' ')),
]
const expression = fc
  .record({ atom: fc.constantFrom(...atoms), afters: fc.array(fc.constantFrom(...afters), { maxLength: 4 }) })
  .map(({ atom, afters }) => afters.reduce((all, after) => (after.startsWith(' ') ? `(${all}${after})` : all + after), atom))

/** Statements, with the rest of the text inside some of them. */
const wraps: ((value: string, inner: string) => string)[] = [
  (value, inner) => `{{ ${value} }}${inner}`,
  (value, inner) => `{% set s = ${value} %}${inner}`,
  (value, inner) => `{% set l = ${value} %}${inner}`,
  (value, inner) => `{% set d = ${value} %}${inner}`,
  (value, inner) => `{% for m in ${value} %}${inner}{% endfor %}`,
  (value, inner) => `{% for m in range(2000) %}{% set s = ${value} %}${inner}{% endfor %}`,
  (value, inner) => `{% for m in l recursive %}${inner}{{ loop(${value}) }}{% endfor %}`,
  (value, inner) => `{% macro f(x) %}${inner}{{ f(x) }}{{ ${value} }}{% endmacro %}{{ f(1) }}`,
  (value, inner) => `{% macro f(x=s) %}{{ caller() }}{% endmacro %}{% call f(${value}) %}${inner}{% endcall %}`,
  (value, inner) =>
    `{% set ns = namespace(x='ab') %}{% for m in range(99) %}{% set ns.x = ns.x + ns.x %}{% set ns.y = ${value} %}{% endfor %}${inner}`,
  (value, inner) =>
    `{% set ns = namespace(x=[1]) %}{% for m in range(99) %}{% set ns.x = [ns.x, ns.x] %}{% endfor %}{{ ns.x|tojson }}{{ ${value} }}${inner}`,
  (value, inner) => `{% set s %}${inner}{% endset %}{{ ${value} }}{{ s }}{{ s }}`,
  (value, inner) => `{% filter upper %}${inner}{% endfilter %}{% if ${value} %}a{% else %}b{% endif %}`,
  (value, inner) => `{%- if ${value} -%}${inner}{%- endif -%}{% break %}`,
]
const fragment = fc.record({ wrap: fc.constantFrom(...wraps), value: expression })
const spot = fc.noBias(fc.nat(999_999)).map((part) => part / 1e6)
const mutated = fc.record({
  source: fc.constantFrom(...templates, ...templates, ''),
  fragments: fc.array(fragment, { minLength: 1, maxLength: 3 }),
  where: spot,
  damage: fc.option(
    fc.record({ at: spot, length: fc.integer({ min: 1, max: 20 }), text: fc.constantFrom('', '{{', '%}', '{%', '(', "'", '{#', '}}') }),
  ),
})

/** Between tags, so that the rest still counts; some damage to the whole after that. */
function build({ source, fragments, where, damage }: typeof mutated extends fc.Arbitrary<infer T> ? T : never): string {
  const edges = [0, ...Array.from(source.matchAll(/(?=\{[%{])/g), ({ index }) => index)]
  const edge = edges[Math.floor(where * edges.length)]!
  const [before, after] = [source.slice(0, edge), source.slice(edge)]
  // The innermost holds what would follow, or nothing: a tag that is left open makes most of it malformed.
  const made = before + fragments.reduceRight((inner, { wrap, value }) => wrap(value, inner), '<|user|>text') + after
  if (!damage || damage.at > 0.3) return made
  const at = Math.floor((damage.at / 0.3) * made.length)
  return made.slice(0, at) + damage.text + made.slice(at + damage.length)
}

test('changed at random: in the work that the budget allows, counted from outside', () => {
  const budget = 8000
  const outcomes = { written: 0, refused: 0, spent: 0, rendered: 0, failed: 0 }
  const property = fc.property(mutated, (input) => {
    const source = build(input)
    const { text, work } = run(source, budget)
    // A name costs one, an eighth more for every scope around it, and a character a sixteenth where its string is made or read.
    expect(work.names).toBeLessThanOrEqual(4 * budget)
    expect(work.characters).toBeLessThanOrEqual(16 * budget)
    const spent = typeof text !== 'string' && text.message.includes('does too much work')
    outcomes[spent ? 'spent' : typeof text === 'string' ? 'written' : 'refused']++
    // Those that end soon go the whole way, to the ids and by the messages of a caller.
    if (spent) return
    const result = only(codes, () => createTemplate(source, tokenizer).render(messages, { variables: { x: '<|user|>' } }))
    outcomes[result instanceof GlmError ? 'failed' : 'rendered']++
    if (!(result instanceof GlmError)) expect(result.text.length).toBeLessThan(1_100_000)
  })
  fc.assert(property, { numRuns: 4000, seed: 47 })
  for (const count of Object.values(outcomes)) expect(count).toBeGreaterThan(300)
})

describe('made to cost', () => {
  const nested = (depth: number, open: string, inner: string, close: string) => open.repeat(depth) + inner + close.repeat(depth)
  const forever = (inner: string, set = '') => `${set}{% for i in range(900) %}{% for j in range(900) %}${inner}{% endfor %}{% endfor %}`
  const long = "{% set s = 'a' * 1000 * 500 %}"
  const list = "{% set l = ['a' * 1000 * 100] * 1000 %}"
  const keys = `{% set d = {${Array.from({ length: 20_000 }, (_, at) => `${at}:1`)}} %}`
  const costly: [string, string][] = [
    ['a loop without end', forever('')],
    ['empty sets', forever('{% set x %}{% endset %}'.repeat(2000))],
    ['macros that are only defined', forever('{% macro f() %}{% endmacro %}'.repeat(2000))],
    [
      'a macro of ten thousand parameters',
      forever('{{ f() }}', `{% macro f(${Array.from({ length: 10_000 }, (_, at) => `a${at}`)}) %}{% endmacro %}`),
    ],
    ['text over and over', forever('x'.repeat(100_000))],
    ['names looked up through many scopes', nested(900, '{% for i in [1] %}', forever('{{ z }}{{ z }}{{ z }}'), '{% endfor %}')],
    ['a macro that calls itself', '{% macro f(x) %}{{ f(x) }}{{ f(x) }}{% endmacro %}{{ f(1) }}'],
    ['a loop that calls itself', '{% for i in [1, 2] recursive %}{{ loop([1, 2]) }}{{ loop([1, 2]) }}{% endfor %}'],
    ['days by name', forever("{{ strftime_now('%A %B') }}")],
    ['a string times 10^9', "{{ 'a' * 10**9 }}"],
    ['nothing times 10^15', "{{ '' * 10**15 }}{{ [] * 10**15 }}"],
    ['a list times 10^9', '{{ [1] * 10**9 }}'],
    ['strings that double', "{% set ns = namespace(x='ab') %}{% for i in range(60) %}{% set ns.x = ns.x ~ ns.x %}{% endfor %}{{ ns.x }}"],
    ['lists that double', '{% set ns = namespace(x=[1]) %}{% for i in range(60) %}{% set ns.x = ns.x + ns.x %}{% endfor %}{{ ns.x }}'],
    [
      'a list of lists of lists, printed',
      '{% set ns = namespace(x=[1]) %}{% for i in range(60) %}{% set ns.x = [ns.x, ns.x] %}{% endfor %}{{ ns.x }}',
    ],
    [
      'the same, compared',
      '{% set ns = namespace(x=[1]) %}{% for i in range(60) %}{% set ns.x = [ns.x, ns.x] %}{% endfor %}{{ ns.x == [ns.x[0], ns.x[1]] }}',
    ],
    [
      'the same, thousands deep',
      '{% set ns = namespace(x=[1]) %}{% for i in range(20000) %}{% set ns.x = [ns.x] %}{% endfor %}{{ ns.x|tojson }}',
    ],
    ['a range of 2^53', '{{ range(9007199254740991) }}'],
    ['a long number that is none', "{{ ('1' * 300000 ~ 'x')|int }}"],
    ['a long number with lines', "{{ ('1_' * 150000 ~ 'x')|float }}"],
    ['numbers out of a list of long ones', `${list}{{ l|map('int')|list|length }}`],
    ['a dict copied', forever('{% set e = dict(d) %}', keys)],
    [
      'a namespace copied',
      forever(
        '{% set e = namespace(d) %}',
        keys.replace(/\d+:1/g, (pair) => `'${pair.slice(0, -2)}':1`),
      ),
    ],
    ['the first of many keys', forever('{{ d|first }}', keys)],
    [
      'keys sorted',
      forever(
        '{{ d|tojson(sort_keys=true)|length }}',
        keys.replace(/\d+:1/g, (pair) => `'${pair.slice(0, -2)}':1`),
      ),
    ],
    ['lists of lists copied', "{% set l = [range(100000)] * 1000 %}{{ l|map('list')|list|length }}"],
    ['lists of lists turned', "{% set l = [range(100000)] * 1000 %}{{ l|map('reverse')|list|length }}"],
    ['long strings sorted', `${list}{{ l|sort|length }}`],
    ['long strings sorted as they are', `${list}{{ l|sort(case_sensitive=true)|length }}`],
    ['long strings made unique', `${list}{{ l|unique|list|length }}`],
    ['long lists made unique', forever('{% set k = l|unique %}', '{% set l = range(100000) %}')],
    ['long strings compared', `${list}{{ l|select('lt', l[0])|list|length }}`],
    ['long strings searched', `${long}{{ range(10000)|map('string')|select('in', s)|list|length }}`],
    ['long strings as characters to strip', `${long}{{ range(10000)|map('string')|map('trim', s)|list|length }}`],
    [
      'a hundred thousand beginnings',
      "{% set s = 'a' * 100000 %}{{ s.startswith((1,) + (('b',) * 100000)) }}{{ s.startswith(('b',) * 100000) }}",
    ],
    ['a long string joined', `${long}{{ range(1000)|join(s) }}`],
    ['a long string put in', `${long}{{ ('a' * 100000).replace('a', s) }}`],
    ['a long indent', "{{ ('a\\n' * 100000)|indent(100000) }}"],
    ['long separators', `${long}{{ range(1000)|tojson(separators=[s, s]) }}`],
    [
      'a deep indent of JSON',
      '{% set ns = namespace(x=[1]) %}{% for i in range(900) %}{% set ns.x = [ns.x, 1] %}{% endfor %}{{ ns.x|tojson(indent=64) }}',
    ],
    ['a long path of an attribute', "{% set p = 'a.' * 200000 %}{{ range(100000)|map(attribute=p)|list|length }}"],
    ['a maze of brackets', `{{ ${nested(100_000, '(', '1', ')')} }}`],
    ['a hundred thousand sums', `{{ 1${'+1'.repeat(100_000)} }}`],
    ['a hundred thousand signs', `{{ ${'-'.repeat(100_000)}1 }}`],
    ['a hundred thousand filters', `{{ 1${'|abs'.repeat(70_000)} }}`],
    ['statements in each other', nested(9000, '{% if 1 %}', 'x', '{% endif %}')],
    ['a string without end', `{{ '${'a'.repeat(299_000)}`],
    ['a number without end', `{{ ${'1'.repeat(299_000)} }}`],
    ['a tag of spaces', `{{ ${' '.repeat(299_000)}`],
    ['comments without end', '{#'.repeat(149_000)],
    ['three hundred thousand and one characters', 'x'.repeat(300_001)],
  ]
  test.each(costly)('%s', (_, source) => {
    const result = only(codes, () => createTemplate(source, tokenizer).render(messages))
    if (!(result instanceof GlmError)) expect(result.text.length).toBeLessThan(1_100_000)
  })

  test('text that is written over and over is paid before it is joined', () => {
    const result = only(codes, () =>
      createTemplate(`{% for i in range(6000) %}${'x'.repeat(100_000)}{% endfor %}`, tokenizer).render(messages),
    )
    expect(result).toMatchObject({ message: expect.stringContaining('too much work') })
  })

  test('what is written is capped, and the sentence says so', () => {
    const result = only(codes, () => createTemplate("{{ 'a' * 1000 * 1100 }}", tokenizer).render(messages))
    expect(result).toMatchObject({ code: 'template_invalid', message: expect.stringContaining('writes too much') })
  })

  test('a refusal of a megabyte is told in a short sentence', () => {
    const error = only(codes, () => createTemplate("{{ raise_exception('a' * 1000 * 1000) }}", tokenizer).render(messages))
    expect(error).toMatchObject({ code: 'messages_invalid' })
    expect(known(codes, error).message.length).toBeLessThan(600)
  })
})

test.each([
  ...['constructor', '__proto__', 'prototype', 'toString', 'valueOf', '__class__', '__init__', 'at', 'push', 'names', 'run', 'call'],
])('no %s of anything is reached', (name) => {
  const values = [
    "''",
    "'a'",
    '[]',
    '[1]',
    '{}',
    '{"a": 1}',
    '1',
    '1.5',
    'true',
    'none',
    'namespace(a=1)',
    'range',
    'range(3)',
    'f',
    'messages',
    'messages[0]',
  ]
  for (const value of values) {
    for (const access of [`(${value}).${name}`, `(${value})['${name}']`, `([${value}]|map(attribute='${name}')|list)[0]`]) {
      const source = `{% macro f() %}{% endmacro %}{{ ${access} is defined }}`
      expect(createTemplate(source, tokenizer).render(messages).text).toBe('False')
    }
  }
  for (const source of [`{{ 1|${name} }}`, `{{ 1 is ${name} }}`, `{% ${name} %}`, `{{ ${name}() }}`, `{{ [1]|map('${name}')|list }}`]) {
    expect(only(codes, () => createTemplate(source, tokenizer).render(messages))).toBeInstanceOf(GlmError)
  }
  expect(createTemplate(`{{ ${name} is defined }}`, tokenizer).render(messages).text).toBe('False')
  expect(({} as Record<string, unknown>).a).toBeUndefined()
})
