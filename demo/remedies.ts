// What to offer when a load failed: the same again or from where it stopped, a smaller format, no cache, another name.
import type { Action } from './banner.ts'
import { codeOf } from './banner.ts'
import { say } from './language.ts'
import type { Choice } from './models.ts'
import { chooseWeights, type Options, type Weights, weightsName } from './options.ts'
import { part } from './view.ts'

export interface Failure {
  choice: Choice
  options: Options
  /** Bytes of it are in the cache. */
  begun: boolean
  load(options: Options, resumed: boolean): void
}

const smaller: Partial<Record<Weights, Weights>> = { f32: 'f16', f16: 'q8', q8: 'q4', file: 'q4' }

export function remediesFor(error: unknown, { choice, options, begun, load }: Failure): Action[] {
  const code = codeOf(error)
  const again: Action = { name: 'retry', text: () => say(begun ? 'resumeLoad' : 'retry'), run: () => load(options, begun) }
  if (code === 'quota_exceeded') {
    const memory: Action = { name: 'memory', text: () => say('remedyMemory'), run: () => load({ ...options, cache: 'none' }, false) }
    return [memory, { name: 'kept', text: () => say('remedyKept'), run: seeKept }]
  }
  const next = smaller[options.weights ?? 'file']
  if (code === 'out_of_memory' && next) {
    const run = () => {
      chooseWeights(next)
      load({ ...options, weights: next }, begun)
    }
    return [{ name: 'smaller', text: () => say('remedySmaller', { weights: weightsName(next) }), run }, again]
  }
  if (code === 'model_unknown' && !choice.entry) return [{ name: 'name', text: () => say('remedyName'), run: editName }]
  return [again]
}

function seeKept(): void {
  location.hash = '#models'
  part('kept').scrollIntoView()
}

function editName(): void {
  location.hash = '#models'
  // The page is turned to in a task of its own.
  setTimeout(() => part<HTMLInputElement>('url').select())
}
