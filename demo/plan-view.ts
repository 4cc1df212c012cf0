// A plan as people read it: a verdict, what is downloaded, a bar of what stands on the GPU, and the other variants of the place.
import type { ModelPlan } from 'glm-webgpu'
import { joined, language, say } from './language.ts'
import { weightsName } from './options.ts'
import type { PlanState } from './plan.ts'
import { bytes, make, number, numberIn, part } from './view.ts'
import type { Word } from './words.ts'

const shares = ['weights', 'kv', 'scratch'] as const
const names: Record<(typeof shares)[number], Word> = { weights: 'planWeights', kv: 'planKv', scratch: 'planScratch' }

export function writePlan({ asking, local, plan, error, variants }: PlanState): void {
  const box = part('plan')
  box.dataset.state = asking ? 'asking' : error ? 'failed' : plan ? (plan.fits ? 'fits' : 'tight') : 'none'
  box.ariaBusy = String(asking)
  part('plan-verdict').replaceChildren(...verdict(asking, plan, error))
  part('plan-figures').replaceChildren(...(plan ? figures(plan, local) : []))
  part('plan-variants').replaceChildren(...(variants ? listed(variants) : []))
}

function verdict(asking: boolean, plan: ModelPlan | undefined, error: Error | undefined): HTMLElement[] {
  if (error) return [heading('planFailed'), make('p', { className: 'small', lang: 'en', textContent: error.message })]
  if (!plan) return [make('p', { className: 'small muted', textContent: say(asking ? 'planAsking' : 'planNone') })]
  if (plan.faults.length > 0)
    return [heading('planBroken'), make('p', { className: 'small', lang: 'en', textContent: plan.faults.join(' ') })]
  return [heading(plan.fits ? 'planFits' : 'planTight'), make('p', { className: 'small', textContent: why(plan) })]
}

const heading = (word: Word) => make('p', { className: 'verdict', textContent: say(word) })

function why({ fits, gpu, memory, weights, context, tensors, formats }: ModelPlan): string {
  const slots = { total: bytes(gpu.total, 2), memory: bytes(memory.bytes, 1), weights: quoted(weights), context: number(context) }
  const assumed = memory.given ? '' : say('planAssumed', slots)
  if (fits) return joined(say('planFitsWhy', slots), assumed)
  const unheld = tensors.find(({ parts }) => parts === 0)
  const other = formats.find((format) => format.fits)
  const way = other ? say('planTightOther', { weights: quoted(other.weights), bytes: bytes(other.bytes, 2) }) : say('planTightNone')
  return joined(unheld ? say('planUnheld', { tensor: unheld.name }) : say('planTightWhy', slots), way, assumed)
}

const quoted = (weights: ModelPlan['weights']) => (language() === 'zh' ? `“${weightsName(weights)}”` : weightsName(weights))

function figures(plan: ModelPlan, local = false): HTMLElement[] {
  const { download, gpu, memory, tensors, context } = plan
  const split = tensors.filter(({ parts }) => parts > 1).length
  const asked = numberIn(part('context'))
  const facts: [Word, string][] = [
    ['planDownload', local ? say('planNothing') : bytes(download, 2)],
    ['planGpu', bytes(gpu.total, 2)],
    ...(split > 0 ? [['planSplit', say('planSplitMany', { count: number(split) })] as [Word, string]] : []),
  ]
  const list = make(
    'dl',
    {},
    ...facts.flatMap(([word, text]) => [make('dt', { textContent: say(word) }), make('dd', { textContent: text })]),
  )
  const cut = asked !== undefined && asked > context ? [note(say('planContextCut', { context: number(context) }))] : []
  return [list, bar(gpu, memory.bytes), legend(gpu), ...cut]
}

const note = (text: string) => make('p', { className: 'small muted', textContent: text })

/** The whole bar is the memory that the model may take, or the model where that is larger; a line marks the memory then. */
function bar(gpu: ModelPlan['gpu'], memory: number): HTMLElement {
  const scale = Math.max(gpu.total, memory)
  const element = make('div', { className: 'gpu-bar', role: 'img' })
  element.ariaLabel = shares.map((share) => `${say(names[share])} ${bytes(gpu[share], 2)}`).join(', ')
  for (const share of shares) {
    const piece = make('span', { className: share })
    piece.style.width = `${(100 * gpu[share]) / scale}%`
    element.append(piece)
  }
  if (gpu.total > memory) {
    const limit = make('i')
    limit.style.insetInlineStart = `${(100 * memory) / scale}%`
    element.append(limit)
  }
  return element
}

function legend(gpu: ModelPlan['gpu']): HTMLElement {
  return make(
    'ul',
    { className: 'legend small' },
    ...shares.map((share) => make('li', {}, make('span', { className: share }), `${say(names[share])} ${bytes(gpu[share], 2)}`)),
  )
}

function listed({ choice, taken, take }: NonNullable<PlanState['variants']>): HTMLElement[] {
  const rows = choice.variants.map(({ label, files, bytes: size }) => {
    const chosen = files.includes(taken)
    const file = files.find((path) => /\.gguf$/i.test(path))
    const able = take !== undefined && file !== undefined && !chosen
    const button = make('button', { type: 'button', className: 'plain', textContent: label, disabled: !able, title: files.join('\n') })
    if (able) button.addEventListener('click', () => take(file))
    const row = make('li', {}, button, make('span', { className: 'value', textContent: bytes(size, 2) }))
    row.append(make('span', { className: 'taken', textContent: chosen ? say('planTaken') : '' }))
    row.dataset.taken = String(chosen)
    row.dataset.testid = 'variant'
    return row
  })
  // The sentence is about the one that the package took.
  const reason = taken === choice.file ? [make('p', { className: 'small muted', lang: 'en', textContent: choice.why })] : []
  return [make('h3', { textContent: say('planVariants') }), make('ul', {}, ...rows), ...reason]
}
