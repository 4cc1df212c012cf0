// `npm run bench`: measures us and the peers beside us, one job after the other, and prints a table, JSON and what the figures say.
// Nothing is imported that a bare machine lacks until a job needs it: `--adapters dawn` runs with dist/, bench/ and node_modules/webgpu alone.
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { firstCommit, firstVersion } from './first.mjs'
import { load, machine } from './machine.mjs'
import { root } from './models.mjs'
import { help, options } from './options.mjs'
import { plan } from './plan.mjs'
import { report, withStored, write } from './report.mjs'
import { jsonLines } from './table.mjs'

/** A job that takes longer is given up. */
const minutes = 10

async function main(args) {
  const chosen = options(args)
  if (chosen.help) return console.log(help)
  const hasGit = existsSync(join(root, '.git'))
  const jobs = plan({ ...chosen, firstVersion: chosen.firstVersion && hasGit })
  if (!chosen.dist) await buildIfStale()
  const facts = machine(chosen.commit)
  const rows = []
  for (const [index, job] of jobs.entries()) {
    console.error(`bench: ${index + 1} of ${jobs.length}: ${job.engine}, ${job.adapter}, ${job.shape}`)
    const { versions, ...row } = await rowOf(job, chosen.dist ?? 'dist')
    Object.assign(facts.versions, versions)
    rows.push(row)
  }
  const section = report(rows, { ...facts, after: load() }, chosen.kind, args)
  console.log(section)
  console.log(jsonLines([...rows, ...withStored(rows, chosen.kind)]))
  if (chosen.write) write(fileURLToPath(new URL('RESULTS.md', import.meta.url)), section)
}

/** A job's figures, or why there are none: one that fails does not end the run. */
async function rowOf(job, dist) {
  const { by, webgpu, ...setting } = job
  const before = load()
  try {
    const first = job.engine.endsWith('first version')
    const place = { dist: first ? firstVersion() : dist, minutes }
    const figures = await measure(job, place)
    const engine = first ? `${job.engine} (${firstCommit})` : job.engine
    return { ...setting, engine, measured: 'now', load: before, ...figures }
  } catch (error) {
    console.error(`bench: failed: ${error.message}`)
    return { ...setting, measured: 'now', load: before, failed: `failed: ${error.message.split('\n')[0].slice(0, 120)}` }
  }
}

async function measure(job, place) {
  if (!job.adapter.startsWith('chromium')) return (await import('./node.mjs')).measureInNode(job, place)
  return (await import('./chromium.mjs')).measureInChromium(job, place)
}

/** Where the tools to build are there; a bare machine brings its dist. */
async function buildIfStale() {
  if (!existsSync(join(root, 'node_modules/vite'))) return
  const { build, isStale } = await import('../scripts/build.mjs')
  if (isStale()) await build()
}

process.once('SIGTERM', () => process.exit(143)) // Playwright would close its browser and let us go on
main(process.argv.slice(2)).catch((error) => {
  console.error(`bench: ${error.message}`)
  process.exitCode = 1
})
