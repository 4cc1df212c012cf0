// Arguments → a command, its model and its flags, or one sentence about what is wrong with them.
import { GlmError } from '../errors.ts'
import { type Command, type CommandName, commands, type Flag, formats, isCommand, type Kinds, type Values } from './commands.ts'

/** A command to run. `model` and `out` are there wherever the command requires them. */
export type Call<Name extends CommandName = CommandName> = Name extends CommandName
  ? { command: Name; model?: string; out?: string; values: Values<Name> }
  : never

export type Parsed = Call | { command: 'help'; of?: CommandName } | { command: 'version' }

/** Throws `request_invalid`. */
export function parse(args: readonly string[]): Parsed {
  const [name = '', ...rest] = args
  if (name === '--version') return { command: 'version' }
  if (name === '--help' || name === '-h') return { command: 'help' }
  if (name === 'help')
    return isCommand(rest[0]) ? { command: 'help', of: rest[0] } : rest[0] === undefined ? { command: 'help' } : unknownCommand(rest[0])
  if (!isCommand(name)) return unknownCommand(name)
  const command: Command = commands[name]
  const taken = take(name, command, rest)
  if (taken === 'help') return { command: 'help', of: name }
  check(name, command, taken)
  const [model, out] = taken.positional
  return { command: name, ...(model === undefined ? {} : { model }), ...(out === undefined ? {} : { out }), values: taken.values } as Call
}

interface Taken {
  positional: string[]
  values: Record<string, unknown>
}

function take(name: CommandName, command: Command, args: readonly string[]): Taken | 'help' {
  const taken: Taken = { positional: [], values: {} }
  const rest = [...args]
  while (rest.length > 0) {
    const argument = rest.shift()!
    if (argument === '--help' || argument === '-h') return 'help'
    if (argument === '--') taken.positional.push(...rest.splice(0))
    else if (!argument.startsWith('-') || argument === '-') taken.positional.push(argument)
    else takeFlag(name, command, argument, rest, taken.values)
  }
  return taken
}

/** `--name`, `--name value` or `--name=value`. */
function takeFlag(name: CommandName, command: Command, argument: string, rest: string[], values: Record<string, unknown>): void {
  const key = flagName(argument)
  const flag = key !== undefined && Object.hasOwn(command.flags, key) ? command.flags[key]! : undefined
  if (!flag || key === undefined) throw wrong(`${name} has no flag ${argument.replace(/=.*/s, '')}; see \`glm-webgpu ${name} --help\`.`)
  if (Object.hasOwn(values, key)) throw wrong(`--${key} stands there twice; give it once.`)
  const equals = argument.indexOf('=')
  if (flag.kind === 'switch') {
    if (equals >= 0) throw wrong(`--${key} takes no value; leave out "${argument.slice(equals)}".`)
    values[key] = true
    return
  }
  // A value may begin with a dash (a negative seed, a list in a prompt), unless it is a flag of this command.
  const next = rest[0]
  const isFlag = next !== undefined && (Object.hasOwn(command.flags, flagName(next) ?? '') || next === '--help')
  if (equals < 0 && (next === undefined || isFlag)) throw wrong(`--${key} needs a value: --${key} ${flag.value}.`)
  values[key] = flagValue(key, flag, equals >= 0 ? argument.slice(equals + 1) : rest.shift()!)
}

const flagName = (argument: string): string | undefined => /^--([^=]+)/.exec(argument)?.[1]

function flagValue(key: string, flag: Flag, text: string): unknown {
  if (flag.kind === 'tokens') return tokensOf(key, text)
  if (flag.kind === 'format') {
    if (!formats.includes(text as Kinds['format']))
      throw wrong(`--${key} is ${quoted(text)}; use ${formats.slice(0, -1).join(', ')} or ${formats.at(-1)}.`)
    return text
  }
  if (flag.kind === 'choice' && !flag.choices!.includes(text))
    throw wrong(`--${key} is ${quoted(text)}; use ${flag.choices!.slice(0, -1).join(', ')} or ${flag.choices!.at(-1)}.`)
  return flag.kind === 'number' || flag.kind === 'whole' ? numberOf(key, flag, text) : text
}

function tokensOf(key: string, text: string): number[] {
  const ids = text.split(',').map((id) => (/^\s*\d+\s*$/.test(id) ? Number(id) : Number.NaN))
  if (!ids.every(Number.isSafeInteger)) throw wrong(`--${key} is ${quoted(text)}; give token ids with commas between them, such as 5,9,2.`)
  return ids
}

function numberOf(key: string, { kind, low = -Infinity, high = Infinity }: Flag, text: string): number {
  const value = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(text) ? Number(text) : Number.NaN
  if (!(value >= low && value <= high) || (kind === 'whole' && !Number.isInteger(value))) {
    const range = high < Number.MAX_SAFE_INTEGER ? ` from ${low} to ${high}` : low > -high ? ` from ${low}` : ''
    throw wrong(`--${key} is ${quoted(text)}; use a ${kind === 'whole' ? 'whole ' : ''}number${range}.`)
  }
  return value
}

function check(name: CommandName, { model, out, exactlyOne, apart }: Command, { positional, values }: Taken): void {
  const given = (keys: readonly string[] = []) => keys.filter((key) => Object.hasOwn(values, key))
  const flags = (keys: readonly string[], word: string) => keys.map((key) => `--${key}`).join(` ${word} `)
  const taken = out ? 2 : 1
  if (positional.length > taken) {
    const what = out ? 'a model and a folder' : 'one model'
    throw wrong(`${name} takes ${what}, and ${quoted(positional[taken]!)} is left over; put quotes around text with spaces.`)
  }
  if (model === 'required' && positional.length === 0) throw wrong(`${name} needs a model: a folder, the address of one, or pocket.`)
  if (out && positional.length < 2) throw wrong(`${name} needs a folder to write behind the model: glm-webgpu ${name} MODEL OUT.`)
  if (exactlyOne && given(exactlyOne).length === 0)
    throw wrong(`${name} needs ${flags(exactlyOne, 'or')}; see \`glm-webgpu ${name} --help\`.`)
  for (const keys of [exactlyOne, apart]) {
    if (given(keys).length > 1) throw wrong(`${flags(given(keys), 'and')} exclude each other; give one of them.`)
  }
}

function unknownCommand(name: string): never {
  const names = Object.keys(commands)
  throw wrong(`${quoted(name)} is not a command; use ${names.slice(0, -1).join(', ')} or ${names.at(-1)}.`)
}

const quoted = (text: string) => JSON.stringify(text.length > 60 ? `${text.slice(0, 60)}…` : text)
const wrong = (sentence: string) => new GlmError('request_invalid', sentence)
