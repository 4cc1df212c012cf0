// What a record holds for, and the record of a process without IndexedDB.
import { describe, expect, it } from 'vitest'
import type { Gpu } from '../../src/gpu/device.ts'
import { browserMajor, readTuned, type Tuned, tunedKey, tunedStore } from '../../src/gpu/tuned.ts'

it.each([
  ['Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0.1.2 Safari/537.36', 'Chrome/156'],
  ['Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0.0.0 Safari/537.36 Edg/155.0.0.0', 'Chrome/156'],
  ['Mozilla/5.0 (X11; Linux x86_64; rv:141.0) Gecko/20100101 Firefox/141.0', 'Firefox/141'],
  ['Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/26.1 Safari/605.1.15', 'Version/26'],
  ['Node.js/22', 'Node.js/22'],
  ['something/else', 'something/else'],
])('%s is %s', (agent, major) => {
  expect(browserMajor(agent)).toBe(major)
})

describe('the key', () => {
  const info = { vendor: 'amd', architecture: 'rdna-3', description: 'RX', software: false, f16: true, subgroups: true }
  const adapterInfo = { device: '0x744c', subgroupMinSize: 32, subgroupMaxSize: 64 }
  const gpu = (more: object = {}, device: object = { adapterInfo }, limits = { binding: 1024, buffer: 2048 }) =>
    ({ info: { ...info, ...more }, device, limits }) as unknown as Gpu
  const sources = ['fn a() {}', 'fn b() {}']

  it('says what it stands for', async () => {
    expect(await tunedKey(gpu(), sources)).toMatch(
      /^amd\|rdna-3\|0x744c\|RX\|f16\|subgroups 32-64\|1024\|2048\|Node\.js\/\d+\|[0-9a-f]{16}$/,
    )
    expect(await tunedKey(gpu(), [...sources])).toBe(await tunedKey(gpu(), sources))
  })

  it('changes with the adapter, its features and limits, and every kernel', async () => {
    const keys = await Promise.all([
      tunedKey(gpu(), sources),
      tunedKey(gpu({ vendor: 'intel' }), sources),
      tunedKey(gpu({ architecture: 'rdna-2' }), sources),
      tunedKey(gpu({ description: 'RX 2' }), sources),
      tunedKey(gpu({ f16: false }), sources),
      tunedKey(gpu({ subgroups: false }), sources),
      tunedKey(gpu({}, { adapterInfo: { ...adapterInfo, device: '0x1' } }), sources),
      tunedKey(gpu({}, { adapterInfo: { ...adapterInfo, subgroupMinSize: 64 } }), sources),
      tunedKey(gpu({}, {}), sources), // a browser that does not tell
      tunedKey(gpu({}, undefined, { binding: 1, buffer: 2048 }), sources),
      tunedKey(gpu({}, undefined, { binding: 1024, buffer: 1 }), sources),
      tunedKey(gpu(), ['fn a() {}', 'fn c() {}']),
      tunedKey(gpu(), ['fn a() {}f', 'n b() {}']),
    ])
    expect(new Set(keys).size).toBe(keys.length)
  })
})

it('without IndexedDB the record lives as long as the process', async () => {
  const tuned: Tuned = { key: 'k', tasks: { shape: { best: 'fast', times: { now: 1, fast: 0.5, wrong: Infinity } } } }
  expect(await readTuned(tunedStore(), 'k')).toEqual({ key: 'k', tasks: {} })
  await tunedStore().put(tuned)
  tuned.tasks.shape!.best = 'later'
  expect((await readTuned(tunedStore(), 'k')).tasks.shape!.best).toBe('fast')
  expect(await readTuned(tunedStore(), 'another')).toEqual({ key: 'another', tasks: {} })
})
