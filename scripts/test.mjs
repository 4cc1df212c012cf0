// `npm test`: sets up what tests need, then lint, types, build, every vitest project, the packed package. Ends with one line of counts.
//   --only NAME          one project alone (node, dawn-swiftshader, dawn-lavapipe, chromium-swiftshader, chromium-lavapipe, package)
//   --require-adapters   an adapter that did not run is a failure (the default where CI is set)
import './node-version.mjs'
import { parseArgs } from 'node:util'
import { build, isStale } from './build.mjs'
import { setup } from './setup.mjs'
import { lint, project, types, variants } from './steps.mjs'

/** The longest first, two at a time; `needs` names what setup must have found, `built` that dist must be there. */
const projects = [
  { name: 'dawn-swiftshader', adapter: true, needs: 'icd.swiftshader', built: true },
  { name: 'dawn-lavapipe', adapter: true, needs: 'icd.lavapipe', built: true },
  { name: 'chromium-lavapipe', adapter: true, needs: 'chromeLavapipe', built: true },
  { name: 'chromium-swiftshader', adapter: true, needs: 'chrome', built: true },
  { name: 'node' },
  { name: 'package', needs: 'chrome', built: true },
]

/** A software adapter compiles on one core and computes on all: two projects fill what one leaves idle. */
const lanes = 2

/** Bytes after gzip that a chat with the embedded model may cost, main and worker together; and any of the files that are fetched when wanted. */
const bound = 60_000
/** Others' code: a demuxer for every container, and decoders of pictures for Node. */
const heavy = ['containers', 'pictures']
const heavyBound = 140_000

const total = { passed: 0, failed: 0, skipped: 0 }
const notes = []

async function main() {
  const { only, required } = options()
  const found = await setup()
  if (!only) {
    step('lint', lint())
    step('types', types())
  }
  const built = await buildFor(only)
  const adapters = await runProjects(
    projects.filter(({ name }) => !only || name === only),
    (one) => runProject(one, found, built),
  )
  if (adapters.length > 0) console.log(`adapters: ${adapters.map(({ name, outcome }) => `${name} ${outcome}`).join(', ')}`)
  if (!only) reportVariants(adapters.map(({ name }) => name))
  const absent = adapters.filter(({ outcome }) => outcome.startsWith('skipped'))
  if (required && absent.length > 0) {
    total.failed += absent.length
    total.skipped -= absent.length
    notes.push(`adapters are required here, and ${absent.map(({ name }) => name).join(', ')} did not run`)
  }
  if (built.sizes?.index && built.sizes.worker) report(built.sizes)
  for (const note of notes) console.log(`failed: ${note}`)
  console.log(`${total.passed} passed, ${total.failed} failed, ${total.skipped} skipped`)
  process.exitCode = total.failed > 0 ? 1 : 0
}

function options() {
  const { values } = parseArgs({ options: { only: { type: 'string' }, 'require-adapters': { type: 'boolean', default: false } } })
  const names = projects.map(({ name }) => name)
  if (values.only && !names.includes(values.only))
    throw new Error(`--only takes one of ${names.join(', ')}; "${values.only}" is none of them.`)
  const ci = !['', '0', 'false'].includes(process.env.CI ?? '')
  return { only: values.only, required: values['require-adapters'] || ci }
}

/** A step that counts as one test. */
function step(name, well) {
  total[well ? 'passed' : 'failed']++
  if (!well) notes.push(name)
}

/** Everything is built for a whole run; for one project, only where it reads dist and dist is stale. */
async function buildFor(only) {
  if (only && !(projects.find(({ name }) => name === only).built && isStale())) return { well: true }
  try {
    const sizes = await build()
    step('build', true)
    return { well: true, sizes }
  } catch (error) {
    console.error(error.message)
    step('build', false)
    return { well: false }
  }
}

/** Each lane takes the next project when it is done with one. Returns what became of the adapters. */
async function runProjects(all, run) {
  const waiting = [...all]
  const outcomes = new Map()
  const lane = async () => {
    for (let one = waiting.shift(); one; one = waiting.shift()) outcomes.set(one, await run(one))
  }
  await Promise.all(Array.from({ length: lanes }, lane))
  return all.filter(({ adapter }) => adapter).map((one) => ({ name: one.name, outcome: outcomes.get(one) }))
}

/** Runs a project, adds its counts, and says `ok`, `failed` or `skipped (why)`. */
async function runProject({ name, needs, built: needsBuild }, found, built) {
  if (needs && !needs.split('.').reduce((value, key) => value?.[key], found)) {
    total.skipped++
    const why = found.reasons[needs] ?? 'it was not found.'
    console.log(`${name} is skipped: ${why}`)
    return `skipped (${why.replace(/\.$/, '')})`
  }
  if (needsBuild && !built.well) {
    step(`${name}: there is no build to test`, false)
    return 'failed (no build)'
  }
  const started = Date.now()
  console.log(`${name} has begun`)
  const counts = await project(name, { env: { GLM_SETUP: JSON.stringify(found) } })
  for (const key of Object.keys(total)) total[key] += counts[key]
  notes.push(...counts.names.map((one) => `${name}: ${one}`))
  console.log(
    `${name}: ${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped in ${Math.round((Date.now() - started) / 1000)} s`,
  )
  return counts.failed > 0 ? 'failed' : counts.passed > 0 ? 'ok' : 'skipped (no test ran)'
}

/** The matrix of kernel variants and adapters; one that passed nowhere is a failure. */
function reportVariants(adapters) {
  const passed = new Map(adapters.map((name) => [name, variants(name)]))
  const all = [...new Set([...passed.values()].flatMap((own) => [...own.keys()]))]
  console.log(`kernel variants through the whole model, on ${adapters.join(', ')}:`)
  for (const id of all)
    console.log(`  ${id.padEnd(20)} ${adapters.map((name) => (passed.get(name).get(id) ? 'ok' : '-').padEnd(4)).join('')}`)
  const nowhere = all.filter((id) => !adapters.some((name) => passed.get(name).get(id)))
  step(`kernel variants that passed nowhere: ${all.length === 0 ? 'all' : nowhere.join(', ')}`, all.length > 0 && nowhere.length === 0)
}

function report({ index, worker, ...fetched }) {
  const kilobytes = (bytes) => `${(bytes / 1000).toFixed(1)} kB`
  const sum = index + worker
  console.log(`size after gzip: main ${kilobytes(index)}, worker ${kilobytes(worker)}, together ${kilobytes(sum)} of ${kilobytes(bound)}`)
  const list = (part) => part.map(([name, bytes]) => `${name} ${kilobytes(bytes)}`).join(', ')
  const [light, others] = [false, true].map((is) => Object.entries(fetched).filter(([name]) => heavy.includes(name) === is))
  console.log(`fetched when wanted: ${list(light)}, each of ${kilobytes(bound)}; ${list(others)}, each of ${kilobytes(heavyBound)}`)
  const within = (part, most) => part.every(([, bytes]) => bytes <= most)
  step('size bound', sum <= bound && within(light, bound) && within(others, heavyBound))
}

main().catch((error) => {
  console.error(`test: ${error.message}`)
  process.exitCode = 1
})
