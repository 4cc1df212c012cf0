// One turn on the page: the question, what it shows, the answer as it grows, and its figures. Text stays text, whatever is in it.
import type { ModelInfo } from 'glm-webgpu'
import { speedOf, type Turn } from './conversation.ts'
import { say } from './language.ts'
import { createShown } from './shown.ts'
import { make, number, percent } from './view.ts'

export interface AnswerView {
  element: HTMLElement
  append(text: string): void
  /** Writes what the model was given. */
  seen(sees: ModelInfo['sees']): void
  /** Writes what depends on the state of the turn or on the language. */
  refresh(): void
  /** Ends what still runs for it. */
  close(): void
}

export function createAnswer(turn: Turn): AnswerView {
  const text = document.createTextNode(turn.answer)
  const speaker = make('span', { className: 'hidden' })
  const body = make('div', { className: 'text', dir: 'auto' }, text)
  const figures = make('p', { className: 'figures small muted' })
  const bar = make('progress', { max: 1, hidden: true })
  const question = make('div', { className: 'question', dir: 'auto', hidden: turn.question === '' }, speaker, turn.question)
  const shown = createShown(turn)
  const answer = make('article', { className: 'answer', ariaLabel: turn.title }, body, figures, bar)
  const element = make('div', { className: 'turn' }, question, shown.element, answer)
  question.dataset.testid = 'question'
  answer.dataset.testid = 'answer'
  body.dataset.testid = 'answer-text'
  figures.dataset.testid = 'figures'
  bar.dataset.testid = 'looking'

  const refresh = () => {
    speaker.textContent = `${say('you')}: `
    answer.dataset.state = turn.state
    if (turn.finish) answer.dataset.finish = turn.finish
    figures.textContent = figuresOf(turn)
    const share = turn.state === 'running' && !turn.answer ? turn.doing?.share : undefined
    bar.hidden = share === undefined
    bar.value = share ?? 0
    bar.ariaLabel = say('shownProgress')
    shown.refresh()
  }
  refresh()
  return { element, append: (more) => text.appendData(more), seen: shown.seen, refresh, close: shown.close }
}

function figuresOf(turn: Turn): string {
  if (turn.state === 'running') return turn.answer ? '' : doingOf(turn)
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

function doingOf({ doing }: Turn): string {
  if (!doing) return say('thinking')
  const { word, share, tokens } = doing
  const said = tokens ? say('shownPromptTokens', { count: number(tokens) }) : say(word)
  return share === undefined ? said : `${said} ${percent(share)}`
}
