// The parser: what it understands, and the sentence for what it does not.
import { describe, expect, test } from 'vitest'
import { parse } from '../../src/cli/arguments.ts'
import { type Command, commands } from '../../src/cli/commands.ts'
import { help } from '../../src/cli/help.ts'

const understood: [string, unknown][] = [
  ['--help', { command: 'help' }],
  ['-h', { command: 'help' }],
  ['help', { command: 'help' }],
  ['help chat', { command: 'help', of: 'chat' }],
  ['chat --help', { command: 'help', of: 'chat' }],
  ['score m --tokens 1 -h', { command: 'help', of: 'score' }],
  ['--version', { command: 'version' }],
  ['bench m', { command: 'bench', model: 'm', values: {} }],
  [
    'bench m --prompt 32 --gen 8 --rows 4 --context 1e3 --weights f32 --json',
    { command: 'bench', model: 'm', values: { prompt: 32, gen: 8, rows: 4, context: 1000, weights: 'f32', json: true } },
  ],
  ['doctor', { command: 'doctor', values: {} }],
  ['doctor m --json --weights q8', { command: 'doctor', model: 'm', values: { json: true, weights: 'q8' } }],
  [
    'doctor a/b --weights auto --memory 5.5 --context 8192 --hub http://mirror',
    { command: 'doctor', model: 'a/b', values: { weights: 'auto', memory: 5.5, context: 8192, hub: 'http://mirror' } },
  ],
  [
    'pack m out --weights q8 --group 64 --head q8 --force',
    { command: 'pack', model: 'm', out: 'out', values: { weights: 'q8', group: '64', head: 'q8', force: true } },
  ],
  ['score m --tokens 5,9,2', { command: 'score', model: 'm', values: { tokens: [5, 9, 2] } }],
  ['score --tokens=5 m --logits=a=b', { command: 'score', model: 'm', values: { tokens: [5], logits: 'a=b' } }],
  ['score m --text x --vision-weights q4', { command: 'score', model: 'm', values: { text: 'x', 'vision-weights': 'q4' } }],
  ['score m --messages talk.json --ids', { command: 'score', model: 'm', values: { messages: 'talk.json', ids: true } }],
  ['chat m --messages talk.json --seed 1', { command: 'chat', model: 'm', values: { messages: 'talk.json', seed: 1 } }],
  ['chat m --prompt=', { command: 'chat', model: 'm', values: { prompt: '' } }],
  ['chat m --prompt=--json', { command: 'chat', model: 'm', values: { prompt: '--json' } }],
  ['chat m --prompt --unlike-a-flag', { command: 'chat', model: 'm', values: { prompt: '--unlike-a-flag' } }],
  ['chat --prompt x --seed -5 -- -m', { command: 'chat', model: '-m', values: { prompt: 'x', seed: -5 } }],
  [
    'chat m --prompt x --temperature .5 --top-p 1 --top-k 40 --max-tokens 1e3 --context 64',
    { command: 'chat', model: 'm', values: { prompt: 'x', temperature: 0.5, 'top-p': 1, 'top-k': 40, 'max-tokens': 1000, context: 64 } },
  ],
]

const refused: [string, string][] = [
  ['frob', '"frob" is not a command; use score, chat, bench, doctor or pack.'],
  ['help frob', '"frob" is not a command; use score, chat, bench, doctor or pack.'],
  ['toString', '"toString" is not a command; use score, chat, bench, doctor or pack.'],
  ['--frob', '"--frob" is not a command; use score, chat, bench, doctor or pack.'],
  ['chat m --frob=1', 'chat has no flag --frob; see `glm-webgpu chat --help`.'],
  ['chat m --constructor 1', 'chat has no flag --constructor; see `glm-webgpu chat --help`.'],
  ['chat m -j', 'chat has no flag -j; see `glm-webgpu chat --help`.'],
  ['score m --prompt x', 'score has no flag --prompt; see `glm-webgpu score --help`.'],
  ['chat m --prompt', '--prompt needs a value: --prompt TEXT.'],
  ['chat m --prompt --json', '--prompt needs a value: --prompt TEXT.'],
  ['chat m --prompt x --seed --raw', '--seed needs a value: --seed S.'],
  ['chat m --prompt x --prompt y', '--prompt stands there twice; give it once.'],
  ['chat m --prompt x --json=yes', '--json takes no value; leave out "=yes".'],
  ['chat m --prompt x --vision-weights q5', '--vision-weights is "q5"; use f32, f16, q8 or q4.'],
  ['chat m', 'chat needs --prompt or --messages; see `glm-webgpu chat --help`.'],
  ['chat --prompt x', 'chat needs a model: a folder, the address of one, or pocket.'],
  ['chat m n --prompt x', 'chat takes one model, and "n" is left over; put quotes around text with spaces.'],
  ['chat m --prompt x --raw --system y', '--raw and --system exclude each other; give one of them.'],
  ['doctor m --memory 0', '--memory is "0"; use a number from 0.000001 to 1000000.'],
  ['doctor m --context 1', '--context is "1"; use a whole number from 2.'],
  ['pack m', 'pack needs a folder to write behind the model: glm-webgpu pack MODEL OUT.'],
  ['pack m a b', 'pack takes a model and a folder, and "b" is left over; put quotes around text with spaces.'],
  ['pack m a --weights f16', '--weights is "f16"; use q4 or q8.'],
  ['pack m a --group 16', '--group is "16"; use 32, 64 or 128.'],
  ['bench', 'bench needs a model: a folder, the address of one, or pocket.'],
  ['bench m --prompt 0', '--prompt is "0"; use a whole number from 1.'],
  ['bench m --gen many', '--gen is "many"; use a whole number from 1.'],
  ['bench m --rows 1.5', '--rows is "1.5"; use a whole number from 1.'],
  ['bench m --context -4', '--context is "-4"; use a whole number from 1.'],
  ['score m', 'score needs --tokens or --text or --messages; see `glm-webgpu score --help`.'],
  ['score m --tokens 1 --text x', '--tokens and --text exclude each other; give one of them.'],
  ['score m --tokens 1 --messages x', '--tokens and --messages exclude each other; give one of them.'],
  ['chat m --prompt x --messages y', '--prompt and --messages exclude each other; give one of them.'],
  ['chat m --messages x --system y', '--system and --messages exclude each other; give one of them.'],
  ['chat m --messages x --raw', '--raw and --messages exclude each other; give one of them.'],
  ['score m --text x --ids=1', '--ids takes no value; leave out "=1".'],
  ...['', '1,', '1,,2', 'x', '-1', '1.5', '9007199254740993'].map((ids): [string, string] => [
    `score m --tokens=${ids}`,
    `--tokens is "${ids}"; give token ids with commas between them, such as 5,9,2.`,
  ]),
  ['score m --tokens 1 --weights q5', '--weights is "q5"; use file, auto, f32, f16, q8 or q4.'],
  ['chat m --prompt x --temperature hot', '--temperature is "hot"; use a number from 0 to 2.'],
  ['chat m --prompt x --temperature 2.1', '--temperature is "2.1"; use a number from 0 to 2.'],
  ['chat m --prompt x --temperature=', '--temperature is ""; use a number from 0 to 2.'],
  ['chat m --prompt x --temperature NaN', '--temperature is "NaN"; use a number from 0 to 2.'],
  ['chat m --prompt x --top-k 0x10', '--top-k is "0x10"; use a whole number from 0 to 16777216.'],
  ['chat m --prompt x --max-tokens 0', '--max-tokens is "0"; use a whole number from 1.'],
  ['chat m --prompt x --max-tokens 1.5', '--max-tokens is "1.5"; use a whole number from 1.'],
  ['chat m --prompt x --context 1', '--context is "1"; use a whole number from 2.'],
  ['chat m --prompt x --seed 1e99', '--seed is "1e99"; use a whole number.'],
]

const split = (line: string) => line.split(' ')

test.each(understood)('%s', (line, wanted) => {
  expect(parse(split(line))).toEqual(wanted)
})

test.each(refused)('%s is refused', (line, sentence) => {
  expect(() => parse(split(line))).toThrow(expect.objectContaining({ code: 'request_invalid', message: sentence }))
})

describe('--help', () => {
  test.each(Object.entries(commands) as [keyof typeof commands, Command][])('%s names every flag', (name, { flags }) => {
    for (const [key, { value, about }] of Object.entries(flags)) {
      expect(help(name)).toContain(`--${key}${value ? ` ${value}` : ''} `)
      expect(help(name)).toContain(about)
    }
  })

  test('the overview names every command', () => {
    for (const [name, { about }] of Object.entries(commands)) expect(help()).toContain(`${name.padEnd(8)}${about}`)
  })
})
