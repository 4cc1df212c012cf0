// Will it fit? Asks for the plan of the chosen model anew whenever something changes, and only while somebody looks.
import { type ModelChoice, type ModelPlan, planModel } from 'glm-webgpu'
import { codeOf } from './banner.ts'
import { inEveryLanguage } from './language.ts'
import { type Choice, chooseName, chosen } from './models.ts'
import { loadOptions, optionsValid, showPlanned } from './options.ts'
import { onPage, page } from './pages.ts'
import { writePlan } from './plan-view.ts'

export interface PlanState {
  /** The question it answers. */
  question: string
  key: string
  asking: boolean
  /** Its files lie on this machine. */
  local?: boolean
  plan?: ModelPlan
  /** The variants of the repository, also when one of them is named. */
  variants?: { choice: ModelChoice; taken: string; take?: (file: string) => void }
  error?: Error
}

const nothing: PlanState = { question: '', key: '', asking: false }
let state = nothing
let running: AbortController | undefined
let timer: ReturnType<typeof setTimeout> | undefined
/** What lay in the repository that was asked last. */
let known: { repository: string; choice: ModelChoice } | undefined

export function startPlan(): void {
  onPage((shown) => shown === 'models' && askPlan(0))
  inEveryLanguage(() => writePlan(state))
}

/** The bytes that a plan of this model told. */
export const plannedBytes = ({ key }: Choice): number | undefined => (state.key === key ? state.plan?.download : undefined)

/** After a pause, for people who type. */
export function askPlan(pause = 350): void {
  clearTimeout(timer)
  if (page() !== 'models') return
  const choice = chosen()
  if (choice.key !== state.key) running?.abort()
  timer = setTimeout(() => void ask(choice), typeof choice.model === 'string' && !choice.entry ? 2 * pause : pause)
}

async function ask(choice: Choice): Promise<void> {
  if (!optionsValid() && choice.key !== '') return
  const { cache, ...options } = loadOptions()
  const question = JSON.stringify([choice.key, options])
  if (question === state.question && !state.error) return
  running?.abort()
  if (choice.key === '') return show({ ...nothing })
  const controller = new AbortController()
  running = controller
  const same = state.key === choice.key ? state : nothing
  show({ ...same, question, key: choice.key, asking: true }, choice)
  try {
    const plan = await planModel(choice.model, { ...options, signal: controller.signal })
    const variants = variantsOf(choice, plan)
    show({ question, key: choice.key, asking: false, plan, ...(variants ? { variants } : {}) }, choice)
  } catch (error) {
    if (controller.signal.aborted || codeOf(error) === 'aborted') return
    show({ question, key: choice.key, asking: false, error: error as Error }, choice)
  }
}

function show(next: PlanState, choice?: Choice): void {
  state = { ...next, local: typeof choice?.model === 'object' }
  showPlanned(next.plan, choice?.entry?.context)
  writePlan(state)
}

/** A name that says the file of a repository keeps the list that the repository's own name brought. */
function variantsOf({ model, entry }: Choice, { choice }: ModelPlan): PlanState['variants'] {
  if (typeof model !== 'string' || entry) return choice && { choice, taken: choice.file }
  const [, repository, file] = /^((?:hf:)?[\w.-]+\/[^/]+)(?:\/(.+))?$/.exec(model) ?? []
  if (choice && repository && !file) known = { repository, choice }
  if (!repository || known?.repository !== repository) return choice && { choice, taken: choice.file }
  return { choice: known.choice, taken: file ?? known.choice.file, take: (path) => chooseName(`${repository}/${path}`) }
}
