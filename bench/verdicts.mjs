// Rows of a run → what they say: our ratio to each peer beside its target, and to the first version. What was not measured is said too.
import { stored, targetSetting, targets, yardstick } from './stored.mjs'

export const ours = 'glm-webgpu'
export const figureNames = { decode_tok_s: 'decode', prefill_tok_s: 'prefill' }

/** `{ text, ratio?, reached? }` for every target; `reached` is undefined where a figure is missing. */
export function verdicts(rows, setting = targetSetting) {
  const us = pick(rows, { ...setting, engine: ours })
  const wllama = pick(rows, { ...setting, engine: 'wllama WebGPU' })
  return targets.map(({ figure, peer, times, scaled }) => {
    const theirs = scaled ? scaledReading(peer, figure, wllama) : usable(wllama)?.[figure]
    const name = `${figureNames[figure]}, ${setting.shape} on ${setting.adapter}: at least ${times} x ${peer}${scaled ? ' (stored, scaled)' : ''}`
    return verdict(name, usable(us)?.[figure], theirs, times)
  })
}

/** The embedded model's speed beside the first working version's, both by way of a chat answer, on every adapter that ran both. */
export function sinceFirst(rows) {
  const first = rows.filter(({ engine, failed }) => engine.startsWith(`${ours} first`) && !failed)
  return first.flatMap((then) => {
    const now = pick(rows, { engine: `${ours} chat`, adapter: then.adapter, shape: then.shape })
    return usable(now)
      ? [verdict(`decode, ${then.shape} on ${then.adapter}: against ${then.engine}`, now.decode_tok_s, then.decode_tok_s)]
      : []
  })
}

/** What a stored reading would be on this machine in this run: speeds move together with the yardstick's. */
export function scaledReading(engine, figure, now) {
  const then = stored.find((row) => row.engine === engine)
  return usable(now)?.[figure] === undefined ? undefined : (then[figure] * now[figure]) / yardstick[figure]
}

function verdict(name, us, theirs, times) {
  if (!(us > 0 && theirs > 0)) return { text: `not measured: ${name}` }
  const ratio = us / theirs
  const figures = `${ratio.toFixed(2)} x (${us.toFixed(2)} against ${theirs.toFixed(2)} tok/s)`
  if (times === undefined) return { text: `${name}: ${figures}`, ratio }
  const reached = ratio >= times
  return { text: `${reached ? 'reached' : 'NOT reached'}: ${name}: ${figures}`, ratio, reached }
}

const usable = (row) => (row && !row.failed && !row.unlike ? row : undefined)
const plainRow = (row) => row.measured !== 'stored' && !row.without?.length && !row.variant && (row.context ?? row.prompt) === row.prompt
const pick = (rows, wanted) => rows.find((row) => plainRow(row) && Object.entries(wanted).every(([key, value]) => row[key] === value))
