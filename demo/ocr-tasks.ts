// What a page can be read for: the words that GLM-OCR was trained to be asked with (its model card), which are the same in every language of this page.
import { fieldsJson } from './ocr-fields.ts'

export const tasks = ['text', 'table', 'formula', 'fields'] as const
export type Task = (typeof tasks)[number]

/** Tokens of a picture: a whole page in small print is some 3,500. */
const whole = 4000

/** Undefined where fields are asked for and none are named. */
export function promptOf(task: Task, fields: string): string | undefined {
  if (task === 'text') return 'Text Recognition:'
  if (task === 'table') return 'Table Recognition:'
  if (task === 'formula') return 'Formula Recognition:'
  const json = fieldsJson(fields)
  return json && `请按下列JSON格式输出图中信息:\n${json}`
}

/** Tokens that a picture may take of a context in which what is read must find room as well. */
export const pictureTokens = (context: number): number => Math.min(whole, Math.max(16, Math.floor(context * 0.6)))

/** The positions that a whole page wants. */
export const wholeContext = 8192
export const isSmall = (context: number): boolean => pictureTokens(context) < whole

/** Without what a model that thinks puts before its answer, and around it. */
export function answerIn(text: string): string {
  const thought = text.lastIndexOf('</think>')
  const answer = thought < 0 ? text : text.slice(thought + '</think>'.length)
  return answer.replace(/<\/?answer>|<\|(?:begin|end)_of_box\|>/g, '').trim()
}
