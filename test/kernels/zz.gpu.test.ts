import { it } from 'vitest'
import { dot8 } from '../../src/kernels/dot8.ts'
import { linearGroups } from '../../src/kernels/linear.ts'
import { matmul, outputsOf } from '../../src/kernels/matmul.ts'
import { layoutWords, Bench, numbers } from './run.ts'
import { play, prepare } from '../../src/gpu/recorder.ts'
const env = process.env
it('bench', async () => {
  const bench = await Bench.open()
  const { device } = bench.gpu
  const N = Number(env.N ?? 4096), K = Number(env.K ?? 2048)
  const words = new Uint32Array(layoutWords('q4', N, K))
  const r = numbers(1)
  const block = Uint32Array.from({ length: 4096 }, () => r.uniform() * 2 ** 32)
  for (let i = 0; i < words.length; i += 4096) words.set(block.subarray(0, Math.min(4096, words.length - i)), i)
  words.fill(0x2c002c00, (N / 8) * (K / 32) * 32)
  const part = { buffer: bench.buffer('w', words), offset: 0, rows: N }
  const matrix = { name: 'q4', format: 'q4' as const, rows: N, columns: K, groups: K / 32, parts: [part] }
  const shape = { rows: 8, logits: 1, slots: 1, pages: 1, ring: 1 }
  const rows = bench.rows(shape)
  const x = bench.buffer('x', Float32Array.from({ length: 8 * K }, () => r.normal()))
  const aux = bench.buffer('aux', new Float32Array(K).fill(1))
  const y = bench.buffer('y', new Float32Array(8 * N))
  for (const count of (env.COUNTS ?? '1').split(',').map(Number)) {
    rows.write(Array.from({ length: count }, (_, p) => ({ token: 0, position: p, slot: 0 })), [])
    for (const spec of (env.SPECS ?? 'dot8:64:1:1,dot8:256:1:1,matmul:64:1:1,matmul:64:8:1').split(',')) {
      const [name, threads, lanes, stripes, rolled] = spec.split(':') as [string, ...string[]]
      const tile = count === 1 ? 1 : count <= 4 ? 4 : 8
      const o = { matrix, part, tile, threads: +threads, lanes: +lanes, stripes: +stripes, rows: 'all' as const, f16: false, rolled: rolled !== 'u', shape,
        input: env.PLAIN ? ('plain' as const) : { width: K, eps: 1e-6, gamma: 0 }, output: { kind: 'store' as const, stride: N } }
      const kernel = name === 'dot8' ? dot8(o) : matmul(o)
      const t0 = performance.now()
      const compiled = await bench.compile(kernel)
      const t1 = performance.now()
      const d = prepare(device, compiled, { weights: part.buffer, x, y, aux, rows: rows.buffer }, linearGroups(part, count, tile, outputsOf(o)))
      { const e = device.createCommandEncoder(); const p = e.beginComputePass(); play(p, [d]); p.end(); const s = performance.now(); device.queue.submit([e.finish()]); await device.queue.onSubmittedWorkDone(); console.log(`${spec} rows ${count}: FIRST ${(performance.now() - s).toFixed(0)}`) }
      let best = 1e9
      for (let i = 0; i < 7; i++) {
        const e = device.createCommandEncoder(); const p = e.beginComputePass(); play(p, [d, d]); p.end()
        const s = performance.now(); device.queue.submit([e.finish()]); await device.queue.onSubmittedWorkDone()
        best = Math.min(best, (performance.now() - s) / 2)
      }
      console.log(`${spec} rows ${count}: ${best.toFixed(2)} ms ${(N * K * count / best / 1e6).toFixed(2)} Gw/s, compile ${(t1 - t0).toFixed(0)}`)
    }
  }
}, 300000)
