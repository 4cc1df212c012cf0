// What the phone agent (AutoGLM-Phone) wrote, as a typed action: `<think>…</think><answer>do(action="Tap", element=[x,y])</answer>`. It looks
// like Python and is never run: one call, known actions, known fields, strings and whole numbers. What is anything else becomes `unknown`,
// with a sentence, and is nobody's to carry out. Every step goes forward only, so the work is linear.
import { Reader, toTheEnd, Unreadable, type Value } from './agent_call.ts'

/** Thousandths of the screen from its upper left corner, 0 to 1000 (the model is told 0 to 999). */
export type ScreenPoint = readonly [x: number, y: number]

export type AgentAction =
  | { type: 'launch'; app: string }
  /** With a message it touches money, privacy and the like: ask the user first. */
  | { type: 'tap'; at: ScreenPoint; message?: string }
  | { type: 'doubleTap' | 'longPress'; at: ScreenPoint }
  | { type: 'swipe'; from: ScreenPoint; to: ScreenPoint }
  /** The field is emptied first. `typeName` types a person's name. */
  | { type: 'type' | 'typeName'; text: string }
  | { type: 'back' | 'home' }
  | { type: 'wait'; seconds: number }
  /** The user must act: a login, a verification. */
  | { type: 'takeOver'; message: string }
  /** Several things fit: the user chooses. */
  | { type: 'interact'; message: string }
  | { type: 'note'; message: string }
  | { type: 'callApi'; instruction: string }
  | { type: 'finish'; message: string }
  /** Not an action; `why` is a sentence, `text` what was written. */
  | { type: 'unknown'; text: string; why: string }

export interface AgentStep {
  /** What the model thought, without tags. */
  thinking: string
  action: AgentAction
}

/** Reads an answer, with or without its tags. Never throws. */
export function parseAgent(output: string): AgentStep {
  const { thinking, written } = divide(output)
  try {
    return { thinking, action: actionOf(written) }
  } catch (error) {
    if (!(error instanceof Unreadable)) throw error
    return { thinking, action: { type: 'unknown', text: written, why: error.message } }
  }
}

/** A point on a screen or a picture of it, in its pixels. */
export function pixelsOf([x, y]: ScreenPoint, width: number, height: number): [x: number, y: number] {
  const along = (thousandths: number, size: number) => Math.min(Math.floor((thousandths * size) / 1000), size - 1)
  return [along(x, width), along(y, height)]
}

const actions: Record<string, (fields: Fields) => AgentAction> = {
  Launch: (fields) => ({ type: 'launch', app: fields.text('app') }),
  Tap: (fields) => ({ type: 'tap', at: fields.point('element'), ...(fields.has('message') ? { message: fields.text('message') } : {}) }),
  'Double Tap': (fields) => ({ type: 'doubleTap', at: fields.point('element') }),
  'Long Press': (fields) => ({ type: 'longPress', at: fields.point('element') }),
  Swipe: (fields) => ({ type: 'swipe', from: fields.point('start'), to: fields.point('end') }),
  Type: (fields) => ({ type: 'type', text: fields.text('text') }),
  Type_Name: (fields) => ({ type: 'typeName', text: fields.text('text') }),
  Back: () => ({ type: 'back' }),
  Home: () => ({ type: 'home' }),
  Wait: (fields) => ({ type: 'wait', seconds: fields.seconds('duration') }),
  Take_over: (fields) => ({ type: 'takeOver', message: fields.text('message', '') }),
  Interact: (fields) => ({ type: 'interact', message: fields.text('message', '') }),
  Note: (fields) => ({ type: 'note', message: fields.text('message', '') }),
  Call_API: (fields) => ({ type: 'callApi', instruction: fields.text('instruction', '') }),
}

const FINISH = 'finish(message='
const DO = 'do(action='

/** Without tags what comes before the call is thought. */
function divide(output: string): { thinking: string; written: string } {
  const plain = (text: string) => text.replaceAll('<think>', '').replaceAll('</think>', '').trim()
  const answer = output.indexOf('<answer>')
  if (answer >= 0) {
    const rest = output.slice(answer + '<answer>'.length).trim()
    return {
      thinking: plain(output.slice(0, answer)),
      written: rest.endsWith('</answer>') ? rest.slice(0, -'</answer>'.length).trim() : rest,
    }
  }
  const after = output.indexOf('</think>') + 1
  const starts = [FINISH, DO].map((mark) => output.indexOf(mark, after)).filter((at) => at >= 0)
  const start = starts.length === 0 ? output.length : Math.min(...starts)
  if (starts.length === 0) return { thinking: '', written: output.trim() }
  return { thinking: plain(output.slice(0, start)), written: output.slice(start).trim() }
}

function actionOf(written: string): AgentAction {
  if (written.startsWith(FINISH)) return { type: 'finish', message: toTheEnd(written, FINISH.length) }
  const reader = new Reader(written)
  reader.expect('do')
  reader.expect('(')
  reader.expect('action')
  reader.expect('=')
  const name = reader.value()
  const make = typeof name === 'string' && Object.hasOwn(actions, name) ? actions[name] : undefined
  if (!make) throw new Unreadable(`There is no action ${JSON.stringify(name).slice(0, 40)}.`)
  const fields = new Fields(String(name))
  while (reader.skip(',')) {
    if (reader.ahead(')')) break
    const field = reader.word()
    reader.expect('=')
    // As the model's own client has it: what is typed goes to the last quote, and quotes in it need no backslash.
    if (field === 'text' && /^Type/.test(fields.action)) {
      fields.set(field, toTheEnd(written, reader.place()))
      return fields.all(make)
    }
    fields.set(field, reader.value())
  }
  reader.expect(')')
  reader.end()
  return fields.all(make)
}

/** The fields of a call, each of which must be asked for. */
class Fields {
  readonly action: string
  readonly #values = new Map<string, Value>()

  constructor(action: string) {
    this.action = action
  }

  set(name: string, value: Value): void {
    if (this.#values.has(name)) throw new Unreadable(`${this.action} has ${name} twice.`)
    this.#values.set(name, value)
  }

  has(name: string): boolean {
    return this.#values.has(name)
  }

  text(name: string, otherwise?: string): string {
    const value = this.#take(name) ?? otherwise
    if (typeof value !== 'string') throw new Unreadable(`${this.action} needs ${name} as a text.`)
    return value
  }

  point(name: string): ScreenPoint {
    const value = this.#take(name)
    if (!Array.isArray(value) || value.length !== 2 || value.some((one) => one > 1000))
      throw new Unreadable(`${this.action} needs ${name} as two whole numbers from 0 to 1000.`)
    return [value[0]!, value[1]!]
  }

  seconds(name: string): number {
    const value = this.#take(name) ?? '1 seconds'
    const found =
      typeof value === 'number' ? value : Number(/^(\d{1,4}(\.\d{1,3})?) ?(s|seconds?)?$/.exec(String(value))?.[1] ?? Number.NaN)
    if (!(found <= 3600)) throw new Unreadable(`${this.action} needs ${name} as seconds, an hour at most.`)
    return found
  }

  /** The action, when no field is left that it does not know. */
  all(make: (fields: Fields) => AgentAction): AgentAction {
    const action = make(this)
    const [left] = this.#values.keys()
    if (left !== undefined) throw new Unreadable(`${this.action} has no ${left.slice(0, 40)}.`)
    return action
  }

  #take(name: string): Value | undefined {
    const value = this.#values.get(name)
    this.#values.delete(name)
    return value
  }
}
