// What stands in an empty chat: a sentence, and questions that the model can answer.
import { examplesFor } from './examples.ts'
import { gpuProblem, isLooking } from './gpu.ts'
import { language, say } from './language.ts'
import { isLoading, type Loaded } from './load.ts'
import { make, part } from './view.ts'

export function writeWelcome(loaded: Loaded | undefined, empty: boolean, ask: (question: string) => void): void {
  part('welcome').hidden = !empty
  part('prompt').setAttribute('placeholder', say(loaded ? 'promptReady' : 'promptWaiting'))
  if (!empty) return
  const waiting = isLoading() || isLooking()
  part('welcome-text').textContent = loaded ? say('welcomeReady') : waiting ? say('welcomeWaiting') : (gpuProblem() ?? say('welcomeNone'))
  const examples = loaded || waiting ? examplesFor(loaded?.choice.key ?? 'pocket') : []
  const chips = examples.map((example) => {
    const button = make('button', { type: 'button', className: 'plain', textContent: example[language()], disabled: !loaded })
    button.dataset.testid = 'suggestion'
    button.addEventListener('click', () => ask(example[language()]))
    return make('li', {}, button)
  })
  part('suggestions').replaceChildren(...chips)
}
