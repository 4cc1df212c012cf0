// A model of real size, from a server that cuts the connection three times into a browser that is reloaded: `node test/bench/real-size/run.mjs`.
// Prints what it took, one line of JSON, and exits with 1 where something does not hold (report.mjs). Progress goes to stderr.
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { machine } from '../../../bench/machine.mjs'
import { twoVisits } from './chromium.mjs'
import { firstLayerBytes, shapeWith, writeModel } from './model.mjs'
import { broken, parts, table } from './report.mjs'
import { startServer } from './server.mjs'

const help = `node test/bench/real-size/run.mjs [options]

  --layers N     the first N of 28 layers (default: all)
  --adapter A    lavapipe or swiftshader (default: lavapipe where it is there)
  --tokens N     of the answer (default: 8)
  --minutes N    given up after (default: 20)
  --keep         leave the model file in .cache/real-size for the next run
  --profile      write CPU profiles of the worker there`

const cache = fileURLToPath(new URL('../../../.cache/real-size', import.meta.url))
/** Parts of the file at which the connection is cut: inside the embedding, a layer, the head. */
const places = [0.0417, 0.4603, 0.9391]

async function main() {
  const { values } = parseArgs({
    options: {
      layers: { type: 'string', default: '28' },
      adapter: { type: 'string' },
      tokens: { type: 'string', default: '8' },
      minutes: { type: 'string', default: '20' },
      keep: { type: 'boolean', default: false },
      profile: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  })
  if (values.help) return console.log(help)
  const facts = machine()
  const shape = shapeWith(Number(values.layers))
  const path = modelFile(shape)
  const { size } = statSync(path)
  const cuts = places.map((part) => Math.floor(part * size))
  const server = await startServer({ path, cuts })
  const profile = join(cache, `profile-${process.pid}`)
  try {
    const argument = {
      context: 512,
      question: 'What is the capital of France?',
      tokens: Number(values.tokens),
      firstLayer: firstLayerBytes(shape),
    }
    const { adapter, version, visits } = await twoVisits({
      server,
      argument,
      folder: profile,
      adapter: values.adapter,
      minutes: Number(values.minutes),
      cpuProfile: values.profile ? cache : undefined,
    })
    const { weights, kv, scratch } = visits[0].model.bytes
    const mb = (bytes) => `${Math.round(bytes / 1e6)} MB`
    console.log(`${mb(size)}, ${shape.layers} layers; ${version} on ${adapter}; ${facts.processors}, load ${facts.load}; ${facts.commit}`)
    console.log(`on the GPU: weights ${mb(weights)}, keys and values ${mb(kv)}, the rest ${mb(scratch)}\n`)
    console.log(`${table(visits)}\n`)
    for (const [index, visit] of visits.entries()) console.log(`${['First', 'Second'][index]} visit:\n\n${parts(visit)}\n`)
    console.log(JSON.stringify({ bytes: size, layers: shape.layers, adapter, chromium: version, ...facts, visits }))
    const faults = broken(visits, { cuts: cuts.length, size })
    for (const fault of faults) console.error(`real-size: BROKEN: ${fault}.`)
    if (faults.length > 0) process.exitCode = 1
  } finally {
    await server.close()
    rmSync(profile, { recursive: true, force: true, maxRetries: 10, retryDelay: 200 }) // the browser may still be writing
    if (!values.keep) rmSync(path, { force: true })
  }
}

/** Written once for as long as what writes it stays the same. */
function modelFile(shape) {
  const sources = ['./model.mjs', '../../../bench/shapes.mjs', '../../../bench/random.mjs']
  const stamp = createHash('sha256').update(sources.map((name) => readFileSync(new URL(name, import.meta.url))).join(''))
  const path = join(cache, `edge-1.5b-${shape.layers}-${stamp.digest('hex').slice(0, 12)}.gguf`)
  if (existsSync(path)) return path
  mkdirSync(cache, { recursive: true })
  console.error(`real-size: writing ${path}`)
  const draft = `${path}.${process.pid}`
  writeModel(draft, shape)
  renameSync(draft, path)
  return path
}

process.once('SIGTERM', () => process.exit(143)) // Playwright would close its browser and let us go on
main().catch((error) => {
  console.error(`real-size: ${error.stack}`)
  process.exitCode = 1
})
