// What stands in an empty chat: a sentence, and questions that the model can answer, with what they are about.
import { aboutOf } from './abouts.ts'
import { type Example, examplesFor } from './examples.ts'
import { gpuProblem, isLooking } from './gpu.ts'
import { language, say } from './language.ts'
import { isLoading, type Loaded } from './load.ts'
import { drawScene, middle } from './scene.ts'
import { make, part } from './view.ts'

export function writeWelcome(loaded: Loaded | undefined, empty: boolean, ask: (question: string, scene: Example['scene']) => void): void {
  part('welcome').hidden = !empty
  part('prompt').setAttribute('placeholder', say(loaded ? 'promptReady' : 'promptWaiting'))
  if (!empty) return
  const waiting = isLoading() || isLooking()
  writeAbout(loaded)
  part('welcome-text').textContent = loaded ? ready(loaded) : waiting ? say('welcomeWaiting') : (gpuProblem() ?? say('welcomeNone'))
  const examples = loaded || waiting ? examplesFor(loaded?.choice.key ?? 'pocket', loaded?.glm.model.sees) : []
  const chips = examples.map((example) => {
    const button = make('button', { type: 'button', className: 'plain', disabled: !loaded })
    if (example.scene) button.append(pictureOf(example.scene))
    button.append(example[language()])
    button.dataset.testid = 'suggestion'
    button.addEventListener('click', () => ask(example[language()], example.scene))
    return make('li', {}, button)
  })
  part('suggestions').replaceChildren(...chips)
}

/** What a model of the catalog is, in a sentence; one that came with the page leads to the larger ones. */
function writeAbout(loaded: Loaded | undefined): void {
  const entry = loaded?.choice.entry
  part('about').hidden = !entry
  if (!entry) return
  const { text, lang } = aboutOf(entry)
  const larger = entry.repository ? [] : [' ', make('a', { href: '#models', textContent: say('largerModels') })]
  part('about').replaceChildren(make('span', { textContent: text, lang }), ...larger)
}

const ready = ({ glm }: Loaded): string => say(glm.model.sees ? 'welcomeSees' : 'welcomeReady')

/** A clip says that it is one. */
function pictureOf({ things, times }: NonNullable<Example['scene']>): HTMLElement {
  const canvas = drawScene(things, middle(times))
  canvas.ariaHidden = 'true'
  return make('span', { className: times ? 'scene clip' : 'scene' }, canvas)
}
