// Options → the jobs of a run, in order. A job is one engine, adapter and setting; it becomes one row.
import { shapeOf } from './shapes.mjs'
import { ours } from './verdicts.mjs'

/** What `--without` of our command line takes, one at a time. */
export const choices = ['flight', 'f16', 'dot8']

const isChromium = (adapter) => adapter.startsWith('chromium')
const hasF16 = (adapter) => adapter === 'chromium-lavapipe' // of the Chromiums; wllama falls back to the CPU without it

export function plan(options) {
  return { compare, growth, choices: oneLess }[options.kind](options)
}

function compare({ adapters, shapes, peers, firstVersion, prompt, gen, context, rows }) {
  const setting = { prompt, gen, context, rows, without: [] }
  return adapters.flatMap((adapter) => {
    const mine = shapes ?? [adapter.endsWith('swiftshader') ? 'pocket' : 'edge-1.5b-4']
    const beside = peers && rows === 1 && context === undefined
    return mine.flatMap((shape) => [
      { ...setting, engine: ours, adapter, shape, by: 'bench' },
      ...(beside && hasF16(adapter) ? peersOf({ ...setting, adapter, shape }) : []),
      ...(firstVersion && shape === 'pocket' && adapter.endsWith('swiftshader') ? beforeAndAfter(adapter) : []),
    ])
  })
}

const peersOf = (setting) => [
  { ...setting, engine: 'wllama WebGPU', by: 'wllama', webgpu: true },
  { ...setting, engine: 'wllama threads', by: 'wllama', webgpu: false },
]

/** Both by way of a chat answer: the first version has nothing else. */
const beforeAndAfter = (adapter) =>
  [`${ours} chat`, `${ours} first version`].map((engine) => ({
    engine,
    adapter,
    shape: 'pocket',
    by: 'chat',
    rows: 1,
    without: [],
  }))

/** Prompts of thousands of tokens take a software adapter hours with a large model: there a small one shows how the context counts. */
const sizes = { hardware: ['pocket', 'edge-1.5b', 'edge-4b'], software: ['pocket', 'edge-1.5b-4', 'edge-4b-4'] }
const reader = { hardware: 'edge-1.5b', software: 'pocket-5' }

function growth({ adapters, prompt, gen, shapes }) {
  return adapters.flatMap((adapter) => {
    const kind = adapter === 'dawn' ? 'hardware' : 'software'
    const setting = { engine: ours, adapter, by: 'bench', prompt, gen, rows: 1, without: [] }
    const contexts = [512, 2048, 8192].filter((context) => context < shapeOf(shapes?.[0] ?? reader[kind]).context)
    return [
      ...(shapes ?? sizes[kind]).map((shape) => ({ ...setting, shape })),
      ...contexts.map((context) => ({ ...setting, shape: shapes?.[0] ?? reader[kind], context })),
      ...[2, 4, 8].map((rows) => ({ ...setting, shape: shapes?.[0] ?? sizes[kind][1], rows })),
    ]
  })
}

function oneLess({ adapters, shapes, prompt, gen }) {
  const nodes = adapters.filter((adapter) => !isChromium(adapter))
  if (nodes.length === 0) throw new Error('--choices needs an adapter in Node; add dawn-lavapipe or dawn to --adapters.')
  return nodes.flatMap((adapter) => {
    const setting = { engine: ours, adapter, shape: shapes?.[0] ?? 'edge-1.5b-4', by: 'bench', prompt, gen, rows: 1 }
    const plain = adapter === 'dawn' ? 'matmul:128:16:1' : 'matmul:64:1:1'
    return [
      ...[[], ...choices.map((choice) => [choice])].map((without) => ({ ...setting, without })),
      ...[plain, `${plain}:subgroups`].map((variant) => ({ ...setting, without: [], variant })),
    ]
  })
}
