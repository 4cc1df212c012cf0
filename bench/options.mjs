// The command line → options, or one sentence about what is wrong with them.
import { parseArgs } from 'node:util'
import { shapeOf } from './shapes.mjs'

export const adapterNames = ['chromium-lavapipe', 'chromium-swiftshader', 'dawn-lavapipe', 'dawn-swiftshader', 'dawn']

export const help = `node bench/run.mjs [options]      measures us and the peers beside us; prints a table and JSON
  --adapters LIST     of ${adapterNames.join(', ')} (default: the first four;
                      dawn is this machine's own Vulkan driver, a real GPU)
  --shape LIST        of pocket, edge-1.5b, edge-4b, 9b, or cut: edge-1.5b-4 is its first 4 layers and the full head
                      (default: pocket on SwiftShader, edge-1.5b-4 elsewhere)
  --prompt N          tokens of the prompt (default 32)
  --gen N             tokens to generate (default 16)
  --context N         positions behind the first generated token (default: the prompt alone)
  --rows N            sequences that decode at once (default 1)
  --growth            instead: context 512 to 8192, rows 1 to 8, and shapes from pocket up
  --choices           instead: what each choice brings, one left out a row (Dawn only)
  --quick             chromium-lavapipe alone, 8 tokens, no first version
  --no-peers          us alone
  --no-first-version  without the first working version beside the embedded model (needs .git)
  --dist FOLDER       another build of ours (default: dist, built first where it is stale)
  --commit NAME       what is measured, where there is no .git to ask
  --write             appends the run to bench/RESULTS.md`

const count = { type: 'string' }
const off = { type: 'boolean', default: false }

/** Throws an Error with one sentence. */
export function options(args) {
  const { values } = parseArgs({
    args,
    options: {
      adapters: { type: 'string' },
      shape: { type: 'string' },
      prompt: count,
      gen: count,
      context: count,
      rows: count,
      commit: { type: 'string' },
      dist: { type: 'string' },
      growth: off,
      choices: off,
      quick: off,
      'no-peers': off,
      'no-first-version': off,
      'first-version': off, // the default, for those who say it
      write: off,
      help: off,
    },
  })
  const { quick, growth, choices } = values
  if (growth && choices) throw new Error('--growth and --choices exclude each other; give one of them.')
  const shapes = list(values.shape)
  shapes?.forEach(shapeOf)
  return {
    adapters: adapters(values.adapters) ?? (quick ? ['chromium-lavapipe'] : adapterNames.slice(0, 4)),
    shapes,
    prompt: whole('prompt', values.prompt, 32),
    gen: whole('gen', values.gen, quick ? 8 : 16, 2),
    context: values.context === undefined ? undefined : whole('context', values.context),
    rows: whole('rows', values.rows, 1),
    commit: values.commit,
    dist: values.dist,
    kind: growth ? 'growth' : choices ? 'choices' : 'compare',
    peers: !values['no-peers'],
    firstVersion: !values['no-first-version'] && !quick,
    write: values.write,
    help: values.help,
  }
}

const list = (text) => text?.split(',').map((name) => name.trim())

function adapters(text) {
  const names = list(text)
  const unknown = names?.find((name) => !adapterNames.includes(name))
  if (unknown !== undefined) throw new Error(`--adapters has ${JSON.stringify(unknown)}; use ${adapterNames.join(', ')}.`)
  return names
}

function whole(name, text, otherwise, low = 1) {
  const value = text === undefined ? otherwise : Number(text)
  if (!Number.isSafeInteger(value) || value < low) throw new Error(`--${name} is ${JSON.stringify(text)}; use a whole number from ${low}.`)
  return value
}
