// One turn on the page: the question, the answer as it grows, and its figures. Text stays text, whatever is in it.
import { speedOf, type Turn } from './conversation.ts'
import { say } from './language.ts'
import { make, number } from './view.ts'

export interface AnswerView {
  element: HTMLElement
  append(text: string): void
  /** Writes what depends on the state of the turn or on the language. */
  refresh(): void
}

export function createAnswer(turn: Turn): AnswerView {
  const text = document.createTextNode(turn.answer)
  const speaker = make('span', { className: 'hidden' })
  const body = make('div', { className: 'text', dir: 'auto' }, text)
  const figures = make('p', { className: 'figures small muted' })
  const question = make('div', { className: 'question', dir: 'auto' }, speaker, turn.question)
  const answer = make('article', { className: 'answer', ariaLabel: turn.title }, body, figures)
  const element = make('div', { className: 'turn' }, question, answer)
  question.dataset.testid = 'question'
  answer.dataset.testid = 'answer'
  body.dataset.testid = 'answer-text'
  figures.dataset.testid = 'figures'

  const refresh = () => {
    speaker.textContent = `${say('you')}: `
    answer.dataset.state = turn.state
    if (turn.finish) answer.dataset.finish = turn.finish
    figures.textContent = figuresOf(turn)
  }
  refresh()
  return { element, append: (more) => text.appendData(more), refresh }
}

function figuresOf(turn: Turn): string {
  if (turn.state === 'running') return turn.answer ? '' : say('thinking')
  const { usage, timings, finish, state, title, notice } = turn
  const speed = speedOf(turn)
  const notes = notice ? [title, notice] : [title]
  if (usage) notes.push(say('tokens', { count: number(usage.completion_tokens) }))
  if (speed) notes.push(say('speed', { speed: number(speed, speed < 10 ? 1 : 0) }))
  if (timings) notes.push(say('first', { seconds: number(timings.first_token_ms / 1000, 2) }))
  if (finish === 'length') notes.push(say('cut'))
  if (state === 'stopped' || state === 'failed') notes.push(say(state))
  else if (!turn.answer) notes.push(say('empty'))
  return notes.join(' · ')
}
