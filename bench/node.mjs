// A job in Node on Dawn: the built command line in a process of its own, which a crash of the driver does not take with it.
import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { checkpointOf, root } from './models.mjs'
import { question } from './question.mjs'

/** Figures of one job. `dist` is where its build lies in the repository. */
export async function measureInNode(job, { dist, minutes }) {
  const env = await environment(job.adapter)
  const cli = (args) => lastJson(join(root, dist, 'cli.js'), args, { env, minutes })
  if (job.by === 'chat') return chat(cli)
  const { adapter, model: _, ...figures } = await cli(benchArguments(job, checkpointOf(job.shape)))
  return { ...figures, device: adapter }
}

/** `glm-webgpu bench`, as the command line takes it. */
export function benchArguments({ prompt, gen, context, rows, without, variant }, model) {
  const flag = (name, value) => (value === undefined ? [] : [`--${name}`, String(value)])
  const left = without.length > 0 ? without.join(',') : undefined
  const settings = [
    ...flag('prompt', prompt),
    ...flag('gen', gen),
    ...flag('context', context),
    ...flag('rows', rows > 1 ? rows : undefined),
    ...flag('variant', variant),
  ]
  return ['bench', model, ...settings, ...flag('without', left), '--json']
}

/** The better of two answers, each in a process of its own. */
async function chat(cli) {
  const runs = []
  for (let run = 0; run < 2; run++) {
    const { usage, timings } = await cli(['chat', 'pocket', '--prompt', question, '--temperature', '0', '--max-tokens', '64', '--json'])
    const { prompt_tokens: prompt, completion_tokens: gen } = usage
    runs.push({ prompt, gen, decode_tok_s: (1000 * (gen - 1)) / timings.decode_ms })
  }
  return runs.sort((a, b) => b.decode_tok_s - a.decode_tok_s)[0]
}

/** `dawn` takes the machine's own Vulkan driver; the other two are named by their ICD files. */
async function environment(adapter) {
  if (adapter === 'dawn') return process.env
  const { runtimeFolder, setup } = await import('../scripts/setup.mjs')
  const icd = (await setup({ install: false, log: () => {} })).icd[adapter.replace('dawn-', '')]
  if (!icd) throw new Error(`${adapter} is not on this machine; run \`node scripts/setup.mjs\`.`)
  return { ...process.env, VK_ICD_FILENAMES: icd, XDG_RUNTIME_DIR: runtimeFolder() }
}

/** Runs a script in the repository's root; its last line of stdout is JSON. */
function lastJson(script, args, { env, minutes }) {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [script, ...args], { cwd: root, env, timeout: minutes * 60_000 })
    const kill = () => child.kill()
    process.once('exit', kill)
    let [out, err] = ['', '']
    child.stdout.on('data', (text) => (out += text))
    child.stderr.on('data', (text) => (err += text))
    child.on('error', reject)
    child.on('close', (code, signal) => {
      process.off('exit', kill)
      if (code !== 0) return reject(new Error(lastLine(err) || `it ended with ${signal ?? code}`))
      try {
        resolve(JSON.parse(lastLine(out)))
      } catch {
        reject(new Error(`its last line is no JSON: ${lastLine(out).slice(0, 100)}`))
      }
    })
  })
}

const lastLine = (text) => text.trimEnd().split('\n').at(-1) ?? ''
