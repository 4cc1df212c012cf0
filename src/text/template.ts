// From chat messages to prompt ids by the model's own chat template. Control strings count only where the template wrote them: what came
// in a message, a tool or a variable is plain text, whatever it says (taint.ts tells the two apart).
import { GlmError } from '../errors.ts'
import { type Program, parseTemplate, Raised, runTemplate } from './jinja.ts'
import { normalise, stringsOf, told } from './messages.ts'
import { alphabetOf, createTaint, type Taint } from './taint.ts'
import { type Tokenizer, tokenText } from './tokenizer.ts'
import { toValue, type Value } from './values.ts'

export interface RenderOptions {
  tools?: readonly unknown[] | null
  /** Ends the prompt with the start of an answer. Default true. */
  addGenerationPrompt?: boolean
  /** More variables for the template, such as `{ enable_thinking: false }`. */
  variables?: Record<string, unknown>
}

export interface ChatTemplate {
  /** The prompt as text, and its ids (not always those of `encode(text)`: control strings in messages are plain text). */
  render(messages: readonly unknown[], options?: RenderOptions): { text: string; ids: number[] }
}

/** Work allowed to a template (runTemplate), beside a share for the length of what it is given. A thousand messages take some 10^5. */
const BUDGET = 1_000_000

/**
 * Makes a chat template from Jinja source. `specials` are special tokens by name (`bos_token`, …), as in tokenizer_config.json.
 * Throws `template_invalid` when the template is malformed or works without end, `messages_invalid` when it refuses the messages.
 */
export function createTemplate(source: string, tokenizer: Tokenizer, specials: Record<string, unknown> = {}): ChatTemplate {
  const program = guard(() => parseTemplate(source))
  const controls = tokenizer.controls.map(({ text }) => text)
  const alphabet = alphabetOf(controls)
  const own = Object.entries(specials).flatMap(([name, value]): [string, Value][] => {
    const text = tokenText(value)
    return name.endsWith('_token') && text !== undefined ? [[name, toValue(text)]] : []
  })
  let takesParts: boolean | undefined

  return {
    render(messages, { tools = null, addGenerationPrompt = true, variables = {} } = {}) {
      takesParts ??= probeParts(program, own)
      const all = normalise(messages, takesParts)
      const texts = [...stringsOf([all, tools, variables])]
      const taint = createTaint(alphabet, [source, ...controls, ...texts])
      const values: [string, Value][] = [
        ...Object.entries(variables).map(([name, value]): [string, Value] => [name, told(value, taint, false)]),
        ...own,
        ['messages', told(all, taint, true)],
        // transformers passes both always, as None when absent.
        ['tools', told(tools, taint, true)],
        ['documents', toValue(null)],
        ['add_generation_prompt', toValue(addGenerationPrompt)],
      ]
      const length = texts.reduce((sum, text) => sum + text.length, 0)
      const rendered = guard(() => runTemplate(program, values, taint, BUDGET + 8 * length))
      return { text: taint.restore(rendered), ids: encode(rendered, tokenizer, taint) }
    },
  }
}

/** Each stretch between control strings is encoded whole, so that tokens form across the borders of fields as they would elsewhere. */
function encode(rendered: string, tokenizer: Tokenizer, taint: Taint): number[] {
  return tokenizer.split(rendered).flatMap(({ text, id }) => (id === undefined ? tokenizer.encodePlain(taint.restore(text)) : [id]))
}

/** Whether the template reads content that is a list of parts: one that does not fails, or prints the list as it is. */
function probeParts(program: Program, own: [string, Value][]): boolean {
  const messages = toValue([{ role: 'user', content: [{ type: 'text', text: 'a part' }] }])
  const nothing = createTaint([], [])
  const values: [string, Value][] = [...own, ['messages', messages], ['tools', toValue(null)], ['add_generation_prompt', toValue(true)]]
  try {
    const text = runTemplate(program, values, nothing, BUDGET / 10, true)
    return text.includes('a part') && !/["']a part/.test(text)
  } catch {
    return false
  }
}

function guard<T>(work: () => T): T {
  try {
    return work()
  } catch (error) {
    if (error instanceof GlmError) throw error
    const said = String((error as Error).message).slice(0, 500)
    if (error instanceof Raised) throw new GlmError('messages_invalid', `The chat template refuses the messages: ${said}`)
    throw new GlmError('template_invalid', `The chat template cannot be used: ${said}`, { cause: error })
  }
}
