// Our Jinja against the library on random small templates, where the library does as Jinja does, and what is ours to get right alone.
import { Template } from '@huggingface/jinja'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { parseTemplate, runTemplate } from '../../src/text/jinja.ts'
import { createTaint } from '../../src/text/taint.ts'
import { toValue } from '../../src/text/values.ts'

const given = { n: 3, s: 'a b', l: [1, 2, 3], d: { k: 'v', n: 4 }, words: ['x', 'y'], t: true, e: '' }
const ours = (source: string) => {
  const variables = Object.entries(given).map(([name, value]) => [name, toValue(value)] as [string, ReturnType<typeof toValue>])
  return runTemplate(parseTemplate(source), variables, createTaint([], []), 1_000_000)
}

const number = fc.constantFrom('1', '2', 'n', 'd.n', 'l[0]', 'l | length', "('7' | int)", 'l[-1]', '(n - 1)')
const text = fc.constantFrom(
  "'q'",
  's',
  "d['k']",
  's.upper()',
  "words | join('-')",
  's[1:]',
  "(s ~ 'z')",
  "s.replace('a', n | string)",
  's | trim | title',
)
const truth = fc.constantFrom(
  't',
  'n > 2',
  "'k' in d",
  'not e',
  'n is defined',
  'zz is undefined',
  's is string',
  'n in l',
  'e or t',
  'l is iterable',
)
const sum = fc.tuple(number, fc.constantFrom('+', '-', '*', '%'), number).map((parts) => `(${parts.join(' ')})`)
const expression = fc.oneof(
  number,
  text,
  sum.map((all) => `${all} | string`),
  fc.tuple(text, truth, text).map(([a, b, c]) => `${a} if ${b} else ${c}`),
)
const gap = fc.constantFrom('', ' ', '\n', '\n  ', 'x\n', ' y ')
const tag = fc.constantFrom(['{%', '%}'], ['{%-', '%}'], ['{%', '-%}'], ['{%-', '-%}'])
const piece: fc.Arbitrary<string> = fc.oneof(
  fc.tuple(gap, expression, gap).map(([a, one, b]) => `${a}{{ ${one} }}${b}`),
  fc
    .tuple(gap, tag, truth, expression, gap)
    .map(([a, [o, c], test, one, b]) => `${a}${o} if ${test} ${c}${b}{{ ${one} }}${a}${o} else ${c}n${o} endif ${c}${b}`),
  fc
    .tuple(gap, tag, expression)
    .map(([a, [o, c], one]) => `${a}${o} for i in l ${c}${a}{{ i }}{{ loop.index }}{{ ${one} }}${o} endfor ${c}`),
  fc.tuple(gap, tag, expression).map(([a, [o, c], one]) => `${a}${o} set v = ${one} ${c}${a}{{ v }}`),
  fc.tuple(gap, expression).map(([a, one]) => `{% macro m(p, q=2) %}${a}{{ p }}{{ q }}{% endmacro %}{{ m(${one}) }}{{ m(1, q=${one}) }}`),
  gap.map((a) => `${a}{# note #}${a}`),
)

it('renders as the library does', () => {
  const same = (pieces: string[]) => {
    const source = pieces.join('')
    expect(ours(source)).toBe(new Template(source).render(given))
  }
  fc.assert(fc.property(fc.array(piece, { minLength: 1, maxLength: 4 }), same), { numRuns: 1500 })
})

describe('where Jinja is right and alone', () => {
  it.each([
    [
      '{{ 7 / 2 }} {{ 4 / 2 }} {{ 7 // 2 }} {{ -7 // 2 }} {{ -7 % 3 }} {{ 2 ** 3 }} {{ 1e16 }} {{ 0.00001 }}',
      '3.5 2.0 3 -4 2 8 1e+16 1e-05',
    ],
    ['{{ 1 < 2 < 3 }} {{ 1 < 2 > 5 }} {{ 1 in [1] }} {{ not 1 == 2 }} {{ 2 not in [1] }}', 'True False True True True'],
    ['{{ (1,) }} {{ () }} {{ [1, 2] == (1, 2) }} {{ [1] * 2 }} {{ "ab" * 2 }} {{ (1,) + (2,) }}', '(1,) () False [1, 1] abab (1, 2)'],
    ['{{ -1 | abs }} {{ l[::-1] }} {{ l[-2:] }} {{ l[5:1:-1] }} {{ s[10:] }}', '1 [3, 2, 1] [2, 3] [3] '],
    [
      '{% for x in [[1, [2]], [3]] recursive %}{{ loop.depth }}{% if x is iterable %}({{ loop(x) }}){% else %}{{ x }}{% endif %}{% endfor %}',
      '1(212(32))1(23)',
    ],
    ['{% macro m(x) %}{{ caller(x) }}{{ x }}{% endmacro %}{% call(a, b=2) m(1) %}[{{ a }}{{ b }}]{% endcall %}', '[12]1'],
    ['{% set v | upper %}a{{ n }}b{% endset %}{{ v }}{% filter replace("a", "c") | upper %}xa{% endfilter %}', 'A3BXC'],
    ['{% set a, b = 1, (2, 3) %}{{ a }}{{ b }}{% for (k, v), w in [((1, 2), 3)] %}{{ k }}{{ v }}{{ w }}{% endfor %}', '1(2, 3)123'],
    ['{% for i in l %}{{ loop.cycle("a", "b") }}{{ loop.previtem }}{{ loop.nextitem }}{% endfor %}', 'a2b13a2'],
    ["{{ 'a' 'b' }}{{ '\\x41\\u00e9\\n\\q' }}{{ \"it's\" }}", "abAé\n\\qit's"],
    ['{{ "%}" }}{{ {"a": {"b": 1}}.a.b }}{{- " x" -}}  y', '%}1 xy'],
    ['a\r\nb  {%+ if t %}c{% endif +%}\nd{#- e -#} f', 'a\nb  c\ndf'],
    [
      '{{ l | map("string") | join }}{{ l | select("gt", 1) | list }}{{ l | reject("odd") | list }}{{ ["b", "A", "b"] | unique | sort }}',
      "123[2, 3][2]['A', 'b']",
    ],
    [
      '{{ l | map("default", 0) | list | first }}{{ [d] | map(attribute="z", default="-") | join }}{{ words | last }}{{ "don\'t go" | title }}',
      "1-yDon't Go",
    ],
    ["{{ ['a\\u2028\\xa0'] }}{{ {1: 2, none: 3} | tojson }}{{ 1.0 | tojson }}", `['a\\u2028\\xa0']{"1": 2, "null": 3}1.0`],
    ['{% generation %}{{ n }}{% endgeneration %}{{ dict(a=1) }}{{ dict(a=1).items() | list }}', "3{'a': 1}[('a', 1)]"],
  ])('%s', (source, text) => expect(ours(source)).toBe(text))

  it.each([
    ['{% include "x" %}', 'include'],
    ['{% do x %}', 'do'],
    ['{{ s.format(1) }}', 'format'],
    ['{{ s | wordwrap }}', 'wordwrap'],
    ['{{ s is escaped }}', 'escaped'],
    ['{{ s.split(keep=1) }}', 'keep'],
    ['{{ cycler(1) }}', 'cycler'],
    ['{{ zz.a }}', 'undefined'],
    ['{{ s % 1 }}', 'operator'],
    ['{{ d | items(1) }}', 'items'],
    ['{% set d.x = 1 %}', 'namespace'],
    ['{% for i in l %}', 'endfor'],
    ['{% macro m() %}{% endmacro %}{{ m(1) }}', 'm()'],
    ['{{ 9007199254740991 + 1 }}', 'whole'],
  ])('%s is refused by its name', (source, name) => expect(() => ours(source)).toThrow(name))
})
