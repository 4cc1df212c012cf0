// The report of the plan: what each lane covers and how far off it is, what was wrong with it, and the plan as files.
import { exportPlan, type Plan, planToCSV, planToWebVTT, type TrackReport } from 'glm-webgpu'
import { inEveryLanguage, language, say } from './language.ts'
import { now, onPlan } from './timeline-state.ts'
import { make, number, part } from './view.ts'

const forms: { id: string; name: string; type: string; write(plan: Plan): string }[] = [
  { id: 'timeline-json', name: 'plan.json', type: 'application/json', write: exportPlan },
  { id: 'timeline-vtt', name: 'plan.vtt', type: 'text/vtt', write: planToWebVTT },
  { id: 'timeline-csv', name: 'plan.csv', type: 'text/csv', write: planToCSV },
]

export function startReport(): void {
  for (const { id, name, type, write } of forms) {
    part(id).addEventListener('click', () => now.plan && save(new Blob([write(now.plan)], { type }), name))
  }
  onPlan(writeReport)
  inEveryLanguage(writeReport)
}

function save(file: Blob, name: string): void {
  const href = URL.createObjectURL(file)
  make('a', { href, download: name }).click()
  setTimeout(() => URL.revokeObjectURL(href), 10_000)
}

function writeReport(): void {
  const { plan } = now
  if (now.live) return
  const tracks = Object.entries(plan?.report.tracks ?? {})
  part('timeline-report-rows').replaceChildren(
    ...tracks.map(([id, report]) => {
      const row = make('tr', {}, make('th', { scope: 'row', textContent: id }))
      for (const [name, text] of Object.entries(figures(report))) {
        const cell = make('td', { className: 'value', textContent: text })
        cell.dataset.testid = `${name}-${id}`
        row.append(cell)
      }
      return row
    }),
  )
  const span = plan?.report.span
  part('timeline-span').textContent = span && tracks.length > 1 ? say('timelineSpan', { mean: ms(span.mean), max: ms(span.max) }) : ''
  writeWarnings()
}

function figures({ coverage, missing, error, gapCount, step, variable }: TrackReport): Record<string, string> {
  return {
    coverage: `${number(coverage, 1)} %`,
    missing: number(missing),
    mean: ms(error.mean),
    p95: ms(error.p95),
    max: ms(error.max),
    gaps: number(gapCount),
    step: step.median >= 1 ? ms(step.median) : say('timelineMicros', { count: number(step.median * 1000, 1) }),
    variable: say(variable ? 'timelineYes' : 'timelineNo'),
  }
}

/** Sentences of the package are English. */
function writeWarnings(): void {
  const told = [
    ...now.sources.flatMap(({ warnings }) => warnings),
    ...(now.plan?.report.warnings ?? []).map(({ code, track, text }) => `${code}${track ? ` (${track})` : ''}: ${text}`),
  ]
  const list = part('timeline-warnings')
  list.hidden = told.length === 0
  list.replaceChildren(...[...new Set(told)].map((textContent) => make('li', { textContent, lang: 'en' })))
}

export function ms(value: number): string {
  return `${new Intl.NumberFormat(language(), { maximumFractionDigits: value !== 0 && Math.abs(value) < 10 ? 2 : 1 }).format(value)} ms`
}
