// Runs a chat template as transformers would: the Jinja library's parser and interpreter, with Python's semantics where the library has
// others, origins of characters respected (taint.ts), and a budget, for the template of a downloaded repository may loop for ever.
import { Environment, Interpreter, parse, tokenize } from '@huggingface/jinja'
import { GlmError } from '../errors.ts'
import { type Plain, strftime, stringMethods } from './python.ts'
import type { Taint } from './taint.ts'
import {
  Dict,
  dictOf,
  equal,
  isList,
  isMap,
  isString,
  isUndefined,
  type JsonOptions,
  json,
  listOf,
  sorted,
  str,
  toPlain,
  toValue,
  type Value,
} from './values.ts'

export type Program = ReturnType<typeof parse>

/** What a template says with `raise_exception`. */
export class Raised extends Error {}

/** Parses a template with transformers' whitespace rules. Throws `template_invalid` when it is too long. */
export function parseTemplate(source: string): Program {
  // The library looks at a run of whitespace from each of its characters.
  if (source.length > 500_000 || /\s{500}/.test(source)) throw new GlmError('template_invalid', 'The chat template is too long.')
  const program = parse(tokenize(source, { lstrip_blocks: true, trim_blocks: true }))
  wrapBodies(program.body as unknown as Node[])
  return program
}

/** The library runs the bodies of macros and set blocks itself; as a program within the program they come through `evaluate`. */
function wrapBodies(nodes: Node[]) {
  for (const node of nodes) {
    for (const inner of [node.body, node.alternate, node.defaultBlock]) if (inner) wrapBodies(inner)
    const whole = ['Macro', 'CallStatement', 'FilterStatement', 'Set'].includes(node.type) && node.body.length > 0
    if (whole) node.body = [Object.assign(parse([]), { body: node.body }) as unknown as Node]
  }
}

/** Runs a parsed template. `budget` is the work allowed, about one per expression, per 16 characters and per item that it looks at. */
export function runTemplate(program: Program, variables: Iterable<[string, Value]>, taint: Taint, budget: number): string {
  const environment = new Environment()
  const interpreter = new Frame(environment, taint, budget)
  const constants = { true: true, false: false, none: null, True: true, False: false, None: null }
  for (const [name, value] of Object.entries(constants)) environment.set(name, value)
  environment.set('raise_exception', (message: unknown) => {
    throw new Raised(taint.restore(String(message)))
  })
  environment.set('strftime_now', (format: unknown) => strftime(new Date(), String(format)))
  environment.set('range', (...numbers: number[]) => interpreter.range(numbers))
  for (const [name, value] of variables) environment.setVariable(name, value)
  return interpreter.run(program).value as string
}

type Statement = Parameters<Interpreter['evaluate']>[0]

/** The library's syntax tree, as far as it is looked at here. */
interface Node {
  type: string
  value: string & Value
  operator: { value: string }
  left: Node
  right: Node
  operand: Node
  filter: Node
  callee: Node
  object: Node
  property: Node
  computed: boolean
  args: Node[]
  test: Node
  negate: boolean
  body: Node[]
  alternate: Node[]
  defaultBlock: Node[]
  loopvar: Node
  iterable: Node
  lhs: Node
}

interface Library {
  evaluateArguments(args: Node[], environment: Environment): [Value[], Map<string, Value>]
}

/** A `break` or `continue` on its way to its loop, with the text written before it. */
class Jump extends Error {
  text = ''
  constructor(readonly kind: 'Break' | 'Continue') {
    super(`${kind} outside a loop`)
  }
}

const STATEMENTS = new Set('Program If For Set Macro CallStatement FilterStatement Break Continue Comment'.split(' '))
const EMPTY_AS_STRING = new Set(['trim', 'upper', 'lower', 'title', 'capitalize', 'replace', 'string', 'length', 'count', 'join'])

/** A pass of a loop in expressions: it makes a scope and a `loop` variable. */
const PASS = 16

class Frame extends Interpreter {
  #taint: Taint
  #left: number
  #methods: Record<string, (text: string, ...rest: Plain[]) => unknown>

  constructor(environment: Environment, taint: Taint, budget: number) {
    super(environment)
    this.#taint = taint
    this.#left = budget
    this.#methods = stringMethods(taint, this.#spend)
  }

  range(numbers: number[]): number[] {
    const [start, stop, step] = numbers.length > 1 ? [numbers[0]!, numbers[1]!, numbers[2] ?? 1] : [0, numbers[0]!, 1]
    const length = Math.max(0, Math.ceil((stop - start) / step))
    if (![start, stop, step].every(Number.isInteger) || step === 0) throw new Error('range() needs whole numbers')
    this.#spend(length)
    return Array.from({ length }, (_, index) => start + index * step)
  }

  override evaluate(statement: Statement, environment: Environment): Value {
    if (!statement) return super.evaluate(statement, environment)
    const node = statement as unknown as Node
    const value = this.#own(node, environment) ?? super.evaluate(statement, environment)
    const length = isString(value) || isList(value) ? (value.value as string | Value[]).length : 0
    this.#spend(1 + length / (isString(value) ? 16 : 64))
    if (node.type === 'ObjectLiteral') return dictOf(new Dict(value.value as Map<string, Value>, this.#taint))
    return value
  }

  #spend = (work: number) => {
    this.#left -= work
    if (!(this.#left >= 0)) throw new GlmError('template_invalid', 'The chat template does too much work; take another template.')
  }

  /** What is done here and not by the library; undefined leaves it to the library. */
  #own(node: Node, environment: Environment): Value | undefined {
    switch (node.type) {
      case 'Program':
        return toValue(this.#block(node.body, environment))
      case 'If':
        return toValue(this.#block(this.#get(node.test, environment).__bool__().value ? node.body : node.alternate, environment))
      case 'For':
        return toValue(this.#loop(node, environment))
      case 'Break':
      case 'Continue':
        throw new Jump(node.type)
      case 'Made':
        return node.value
      case 'BinaryExpression':
        return this.#binary(node, environment)
      case 'CallExpression':
        return this.#call(node, environment)
      case 'FilterExpression':
        return this.#filter(node, environment)
      case 'TestExpression':
        return this.#test(node, environment)
    }
    return undefined
  }

  #get(node: Node, environment: Environment): Value {
    return this.evaluate(node as unknown as Statement, environment)
  }

  /** Leaves a node to the library, one of its children already evaluated (once: it may be costly). */
  #library(node: Node, child: 'operand' | 'object', value: Value, environment: Environment): Value {
    const made = { type: 'Made', value } as Node
    const again = child === 'operand' ? { ...node, operand: made } : { ...node, callee: { ...node.callee, object: made } }
    return super.evaluate(again as unknown as Statement, environment)
  }

  #arguments(args: Node[], environment: Environment) {
    return (this as unknown as Library).evaluateArguments(args, environment)
  }

  #block(nodes: Node[], environment: Environment): string {
    let text = ''
    try {
      for (const node of nodes) {
        const value = this.#get(node, environment)
        if (!STATEMENTS.has(node.type) || isString(value)) text += str(value, this.#spend)
      }
    } catch (error) {
      if (error instanceof Jump) error.text = text + error.text
      throw error
    }
    return text
  }

  /** Unlike the library's loop, each pass has its own scope and a jump keeps the text before it. */
  #loop(node: Node, environment: Environment): string {
    const chosen = node.iterable.type === 'SelectExpression'
    const all = this.#items(this.#get(chosen ? node.iterable.lhs : node.iterable, environment))
    this.#spend(PASS * all.length)
    const scopeOf = (item: Value) => bind(node.loopvar, item, new Environment(environment))
    const items = chosen ? all.filter((item) => this.#get(node.iterable.test, scopeOf(item)).__bool__().value) : all
    let text = ''
    for (const [index, item] of items.entries()) {
      const scope = scopeOf(item)
      scope.setVariable('loop', this.#loopVariable(items, index))
      try {
        text += this.#block(node.body, scope)
      } catch (error) {
        if (!(error instanceof Jump)) throw error
        text += error.text
        if (error.kind === 'Break') break
      }
    }
    return items.length ? text : this.#block(node.defaultBlock, environment)
  }

  #items(value: Value): Value[] {
    if (isUndefined(value)) return []
    if (isList(value)) return value.value as Value[]
    if (isString(value)) return Array.from(value.value as string, (character) => toValue(character))
    if (value.type === 'ObjectValue') return Array.from((value.value as Map<string, Value>).keys(), (key) => toValue(key))
    throw new Error(`a loop over ${value.type}`)
  }

  #loopVariable(items: Value[], index: number): Value {
    const { length } = items
    const numbers = { index: index + 1, index0: index, revindex: length - index, revindex0: length - index - 1, length }
    const loop = toValue({ ...numbers, first: index === 0, last: index === length - 1 })
    const fields = loop.value as Map<string, Value>
    fields.set('previtem', items[index - 1] ?? toValue(undefined))
    fields.set('nextitem', items[index + 1] ?? toValue(undefined))
    return loop
  }

  #binary(node: Node, environment: Environment): Value | undefined {
    const operator = node.operator.value
    if (!['==', '!=', 'in', 'not in', '~', '+'].includes(operator)) return undefined
    const left = this.#get(node.left, environment)
    const right = this.#get(node.right, environment)
    if (operator === '~') return toValue(str(left, this.#spend) + str(right, this.#spend))
    if (operator === '==' || operator === '!=') return toValue(equal(left, right, this.#taint, this.#spend) === (operator === '=='))
    if (operator !== '+') return toValue(this.#contains(right, left) === (operator === 'in'))
    if (isString(left) !== isString(right)) throw new Error('a string can only be added to a string')
    if (isString(left)) return toValue((left.value as string) + (right.value as string))
    return super.evaluate(
      { ...node, left: { type: 'Made', value: left }, right: { type: 'Made', value: right } } as unknown as Statement,
      environment,
    )
  }

  #contains(all: Value, item: Value): boolean {
    if (isUndefined(all)) return false
    if (isList(all)) return (all.value as Value[]).some((one) => equal(one, item, this.#taint, this.#spend))
    if (isMap(all)) return isString(item) && (all.value as Map<string, Value>).has(item.value as string)
    if (!isString(all) || !isString(item)) throw new Error(`"in" between ${item.type} and ${all.type}`)
    const [text, part] = [this.#taint.restore(all.value as string), this.#taint.restore(item.value as string)]
    this.#spend((text.length * part.length) / 1024)
    return text.includes(part)
  }

  /** Method calls: Python's on strings; a dict's own methods come before its keys ("items" is a word of JSON Schema). */
  #call(node: Node, environment: Environment): Value | undefined {
    if (node.callee.type !== 'MemberExpression' || node.callee.computed) return undefined
    const object = this.#get(node.callee.object, environment)
    const name = node.callee.property.value as string
    if (isString(object) && Object.hasOwn(this.#methods, name)) return this.#method(name, object, node.args, environment)
    if (isString(object) && name === 'join') return this.#join(this.#arguments(node.args, environment)[0][0], object)
    if (object.type === 'ObjectValue' && ['items', 'keys', 'values', 'get'].includes(name)) {
      const method = object.builtins.get(name)!.value as (args: Value[], environment: Environment) => Value
      const [args] = this.#arguments(node.args, environment)
      this.#spend((object.value as Map<string, Value>).size / 8)
      return method(args, environment)
    }
    return this.#library(node, 'object', object, environment)
  }

  #method(name: string, object: Value, args: Node[], environment: Environment): Value {
    const [values, keywords] = this.#arguments(args, environment)
    const rest = [...values, ...keywords.values()].map(toPlain)
    this.#spend((object.value as string).length / 64)
    return toValue(this.#methods[name]!(object.value as string, ...rest))
  }

  #join(items: Value | undefined, separator: Value): Value {
    if (!items) throw new Error('join() needs a list')
    const all = this.#items(items)
    this.#spend(all.length * (1 + (separator.value as string).length / 64))
    return toValue(all.map((item) => str(item, this.#spend)).join(separator.value as string))
  }

  #filter(node: Node, environment: Environment): Value | undefined {
    const called = node.filter.type === 'CallExpression'
    const name = (called ? node.filter.callee : node.filter).value as string
    let operand = this.#get(node.operand, environment)
    const args = () => (called ? this.#arguments(node.filter.args, environment) : ([[], new Map()] as [Value[], Map<string, Value>]))
    if (isUndefined(operand) && EMPTY_AS_STRING.has(name)) operand = toValue('')
    if (name === 'tojson') return toValue(json(operand, jsonOptions(...args()), this.#taint, this.#spend))
    if (name === 'string') return toValue(str(operand, this.#spend))
    if (name === 'join') return this.#joinFilter(operand, ...args())
    if (name === 'sort' || name === 'dictsort') return this.#sort(name, operand, ...args())
    if ((name === 'selectattr' || name === 'rejectattr') && called) return this.#choose(name, operand, node, environment)
    if (name === 'list') return listOf(this.#items(operand).slice())
    if (isString(operand)) {
      const text = operand.value as string
      const method = name === 'trim' ? 'strip' : name
      if (name === 'length' || name === 'count') return toValue(Array.from(text).length)
      if (['strip', 'upper', 'lower', 'title', 'capitalize', 'replace'].includes(method)) {
        return this.#method(method, operand, called ? node.filter.args : [], environment)
      }
      if (name === 'indent') return this.#indent(text, ...args())
      if (name === 'int' || name === 'float') operand = toValue(this.#taint.restore(text))
    }
    return this.#library(node, 'operand', operand, environment)
  }

  #sort(name: string, operand: Value, values: Value[], keywords: Map<string, Value>): Value {
    const names = name === 'sort' ? ['reverse', 'case_sensitive', 'attribute'] : ['case_sensitive', 'by', 'reverse']
    const options = Object.fromEntries(names.map((option, index) => [option, (values[index] ?? keywords.get(option))?.value]))
    const [caseSensitive, reverse] = [options.case_sensitive === true, options.reverse === true]
    const place = options.by === 'value' ? 1 : 0
    const pairs = () => (operand.builtins.get('items')!.value as () => Value)().value as Value[]
    const by = (item: Value) => (name === 'dictsort' ? (item.value as Value[])[place]! : attribute(item, options.attribute))
    const items = name === 'dictsort' ? pairs() : this.#items(operand)
    this.#spend(items.length * 4)
    return listOf(sorted(items, { by, caseSensitive, reverse }, this.#taint))
  }

  /** `selectattr` by equality; by other tests it is the library's. */
  #choose(name: string, operand: Value, node: Node, environment: Environment): Value {
    const [path, test, wanted] = this.#arguments(node.filter.args, environment)[0]
    if (!wanted || !['equalto', 'eq', '=='].includes(test!.value as string)) return this.#library(node, 'operand', operand, environment)
    const fits = (item: Value) => equal(attribute(item, path!.value), wanted, this.#taint, this.#spend)
    return listOf(this.#items(operand).filter((item) => fits(item) === (name === 'selectattr')))
  }

  #joinFilter(operand: Value, [separator]: Value[], keywords: Map<string, Value>): Value {
    const attribute = keywords.get('attribute')
    if (attribute) throw new Error('join(attribute) is not supported')
    return this.#join(operand, separator ?? keywords.get('d') ?? toValue(''))
  }

  #indent(text: string, values: Value[], keywords: Map<string, Value>): Value {
    const option = (index: number, name: string) => (values[index] ?? keywords.get(name))?.value
    const width = option(0, 'width') ?? 4
    const lines = text.split('\n')
    const size = typeof width === 'number' ? width : String(width).length
    this.#spend((lines.length * size) / 64)
    const pad = typeof width === 'number' ? ' '.repeat(width) : String(width)
    const skip = (line: string, index: number) => (index === 0 && !option(1, 'first')) || (index > 0 && !line && !option(2, 'blank'))
    return toValue(lines.map((line, index) => (skip(line, index) ? line : pad + line)).join('\n'))
  }

  #test(node: Node, environment: Environment): Value | undefined {
    const operand = this.#get(node.operand, environment)
    const name = node.test.value as string
    if (name === 'iterable')
      return toValue(node.negate !== (isString(operand) || isList(operand) || isUndefined(operand) || operand.type === 'ObjectValue'))
    const plain = isString(operand) ? toValue(this.#taint.restore(operand.value as string)) : operand
    return this.#library(node, 'operand', plain, environment)
  }
}

function bind(target: Node, item: Value, scope: Environment): Environment {
  if (target.type === 'Identifier') scope.setVariable(target.value, item)
  else {
    const names = target.value as unknown as Node[]
    if (!isList(item) || (item.value as Value[]).length !== names.length) throw new Error('a loop variable does not fit the item')
    for (const [index, name] of names.entries()) bind(name, (item.value as Value[])[index]!, scope)
  }
  return scope
}

function attribute(item: Value, path: unknown): Value {
  if (path === undefined || path === null) return item
  return String(path)
    .split('.')
    .reduce((value, key) => (isMap(value) ? (value.value as Map<string, Value>).get(key) : undefined) ?? toValue(undefined), item)
}

function jsonOptions(values: Value[], keywords: Map<string, Value>): JsonOptions {
  // transformers' order of arguments
  const [ensureAscii, indent, separators, sortKeys] = ['ensure_ascii', 'indent', 'separators', 'sort_keys'].map((name, index) => {
    const value = values[index] ?? keywords.get(name)
    return value && toPlain(value)
  })
  if (typeof indent === 'number' && !(indent >= 0 && indent <= 64)) throw new Error('tojson indents by 0 to 64')
  return {
    ensureAscii: ensureAscii === true,
    indent: typeof indent === 'number' ? indent : null,
    separators: Array.isArray(separators) ? (separators as [string, string]) : null,
    sortKeys: sortKeys === true,
  }
}
