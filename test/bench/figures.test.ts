// What the bench makes of figures: the table, the stored readings beside it, the ratios, and the jobs its options ask for.
import { expect, test } from 'vitest'
import { benchArguments } from '../../bench/node.mjs'
import { options } from '../../bench/options.mjs'
import { plan } from '../../bench/plan.mjs'
import { report } from '../../bench/report.mjs'
import { stored, storedNote, targets } from '../../bench/stored.mjs'
import { columns, jsonLines, table } from '../../bench/table.mjs'
import type { Row } from '../../bench/types.mjs'
import { scaledReading, sinceFirst, verdicts } from '../../bench/verdicts.mjs'

const setting: Omit<Row, 'engine'> = {
  adapter: 'chromium-lavapipe',
  shape: 'edge-1.5b-4',
  prompt: 32,
  rows: 1,
  without: [],
  measured: 'now',
}
const us: Row = { ...setting, engine: 'glm-webgpu', decode_tok_s: 6, prefill_tok_s: 20 }
const wllama: Row = { ...setting, engine: 'wllama WebGPU', decode_tok_s: 3.04, prefill_tok_s: 4.84 }

test('a table has a cell for every column, a dash where nothing was measured, and figures as long as they mean something', () => {
  const [head, rule, first, second] = table([
    { ...us, submits_per_token: 0.25, stream_share: 0.456, without: ['f16'] },
    { ...us, decode_tok_s: 123.4, failed: 'failed: a | b\nc' },
  ]).split('\n')
  for (const line of [head, rule, first, second]) expect(line!.split('|')).toHaveLength(columns.length + 2)
  expect(first).toMatch(/^\| glm-webgpu, without f16 \| chromium-lavapipe \| edge-1\.5b-4 \| 32 \| 32 \| 1 \| 20\.0 \| 6\.00 \| – \|/)
  expect(first).toContain('| 0.25 |')
  expect(first).toContain('| 46 % |')
  expect(second).toContain('| 123 |')
  expect(second).toContain('failed: a / b c')
})

test('JSON lines are the rows', () => {
  expect(
    jsonLines([us, wllama])
      .split('\n')
      .map((line) => JSON.parse(line)),
  ).toEqual([us, wllama])
})

test('stored readings are there, and marked, in rows and in the table', () => {
  const names = stored.map(({ engine }) => engine).join()
  for (const peer of ['onnxruntime-web', 'web-llm', 'wllama']) expect(names).toContain(peer)
  for (const row of stored) expect(row.measured).toBe('stored')
  for (const line of table(stored).split('\n').slice(2)) expect(line).toContain('| stored reading')
  const facts = { date: 'd', commit: 'c', processors: 'p', load: 1, after: 2, versions: { Node: '20', Mesa: undefined } }
  const section = report([us], facts, 'compare', ['--quick'])
  expect(section).toContain(storedNote)
  expect(section).toContain('versions: Node 20\n')
  expect(report([us], facts, 'growth', [])).not.toContain('onnxruntime')
  expect(report([{ ...us, adapter: 'dawn' }], facts, 'compare', [])).not.toContain('onnxruntime')
})

test('ratios: against the same run, and against a stored reading moved as the yardstick moved', () => {
  expect(scaledReading('onnxruntime-web 1.30 WebGPU', 'decode_tok_s', wllama)).toBeCloseTo(3.96) // 1.98 x 3.04 / 1.52
  const found = verdicts([us, wllama])
  expect(found).toHaveLength(targets.length)
  expect(found.map(({ ratio }) => ratio)).toEqual([6 / 3.04, 6 / 3.96, 20 / 4.84, 20 / 1.38].map((ratio) => expect.closeTo(ratio)))
  expect(found.every(({ reached }) => reached)).toBe(true)
  const slower = verdicts([{ ...us, decode_tok_s: 4.5 }, wllama])
  expect(slower.map(({ reached }) => reached)).toEqual([false, false, true, true])
  expect(slower[0]!.text).toMatch(/^NOT reached: decode.*1\.48 x \(4\.50 against 3\.04 tok\/s\)$/)
})

test.each([
  ['is missing', []],
  ['failed', [{ ...wllama, failed: 'failed: out of memory' }]],
  ['fell back to the CPU', [{ ...wllama, unlike: true }]],
  ['had another prompt', [{ ...wllama, prompt: 64 }]],
  ['ran elsewhere', [{ ...wllama, adapter: 'chromium-swiftshader' }]],
] as [string, Row[]][])('no ratio where the peer %s', (_, peers) => {
  for (const verdict of verdicts([us, ...peers])) {
    expect(verdict.text).toMatch(/^not measured/)
    expect(verdict.ratio).toBeUndefined()
  }
})

test('a row with a choice left out, or with a longer context, is not the one that is compared', () => {
  const odd = [
    { ...us, without: ['f16'], decode_tok_s: 60 },
    { ...us, context: 512, decode_tok_s: 60 },
  ]
  expect(verdicts([...odd, wllama])[0]!.text).toMatch(/^not measured/)
})

test('the first version is compared on its own adapter, with a chat answer', () => {
  const chat = { ...setting, adapter: 'dawn-swiftshader', shape: 'pocket', prompt: 29 }
  const rows = [
    { ...chat, engine: 'glm-webgpu chat', decode_tok_s: 30 },
    { ...chat, engine: 'glm-webgpu first version (abc)', decode_tok_s: 20 },
    { ...chat, adapter: 'chromium-swiftshader', engine: 'glm-webgpu first version (abc)', decode_tok_s: 10 },
  ]
  expect(sinceFirst(rows).map(({ ratio }) => ratio)).toEqual([1.5])
})

test('options: defaults, and sentences about what is wrong', () => {
  expect(options([])).toMatchObject({ prompt: 32, gen: 16, rows: 1, kind: 'compare', peers: true, firstVersion: true, write: false })
  expect(options(['--quick'])).toMatchObject({ adapters: ['chromium-lavapipe'], gen: 8, firstVersion: false })
  expect(options(['--adapters', 'dawn', '--shape', 'pocket,edge-4b']).shapes).toEqual(['pocket', 'edge-4b'])
  expect(() => options(['--adapters', 'metal'])).toThrow(/--adapters has "metal"/)
  expect(() => options(['--shape', 'gpt'])).toThrow(/no shape gpt/)
  expect(() => options(['--gen', '1'])).toThrow(/from 2/)
  expect(() => options(['--growth', '--choices'])).toThrow(/exclude/)
})

test('the jobs: peers only where f16 is, the first version only with the embedded model on SwiftShader', () => {
  const jobs = plan(options([]))
  const on = (adapter: string) => jobs.filter((job) => job.adapter === adapter).map(({ engine }) => engine)
  expect(on('chromium-lavapipe')).toEqual(['glm-webgpu', 'wllama WebGPU', 'wllama threads'])
  expect(on('dawn-lavapipe')).toEqual(['glm-webgpu'])
  expect(on('chromium-swiftshader')).toEqual(['glm-webgpu', 'glm-webgpu chat', 'glm-webgpu first version'])
  expect(plan(options(['--adapters', 'dawn'])).map(({ shape }) => shape)).toEqual(['edge-1.5b-4'])
})

test('growth moves one thing at a time; choices leave out one at a time, in Node', () => {
  const growth = plan(options(['--growth', '--adapters', 'dawn']))
  expect(growth.map(({ shape, context, rows }) => `${shape} ${context ?? '-'} ${rows}`)).toEqual([
    'pocket - 1',
    'edge-1.5b - 1',
    'edge-4b - 1',
    'edge-1.5b 512 1',
    'edge-1.5b 2048 1',
    'edge-1.5b 8192 1',
    'edge-1.5b - 2',
    'edge-1.5b - 4',
    'edge-1.5b - 8',
  ])
  const less = plan(options(['--choices', '--adapters', 'dawn-lavapipe']))
  expect(less.map(({ without, variant }) => variant ?? without)).toEqual([
    [],
    ['flight'],
    ['f16'],
    ['dot8'],
    'matmul:64:1:1',
    'matmul:64:1:1:subgroups',
  ])
  expect(() => plan(options(['--choices', '--adapters', 'chromium-lavapipe']))).toThrow(/in Node/)
})

test('a job as our command line takes it', () => {
  const [job] = plan(options(['--adapters', 'dawn', '--context', '512', '--rows', '4']))
  expect(benchArguments({ ...job!, without: ['f16', 'dot8'], variant: 'matmul:64:1:1' }, 'folder')).toEqual(
    'bench folder --prompt 32 --gen 16 --context 512 --rows 4 --variant matmul:64:1:1 --without f16,dot8 --json'.split(' '),
  )
})
