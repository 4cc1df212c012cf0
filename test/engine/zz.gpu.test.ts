import { it } from 'vitest'
import { Engine } from '../../src/engine/engine.ts'
import { dawn } from '../../src/gpu/dawn.ts'
import { folderSource } from '../../src/weights/folder.ts'
it('load', async () => {
  const gpu = await dawn()
  const round = process.env.ROUND === '1'
  const engine = await Engine.load({ gpu, source: folderSource('test/fixtures/checkpoints/' + (process.env.M ?? 'glm-grid-q4')), weights: (process.env.W ?? 'q4') as 'q4', context: 512, ...(round ? {choose: { rounds: () => true, decode: () => ({kernel:'dot8', threads:64, lanes:1, stripes:2})}} : {}) })
  const { device } = engine.gpu
  const seen = new Set<string>()
  const run = async (label: string, rec: readonly { name: string; pipeline: GPUComputePipeline; bindGroup: GPUBindGroup; groups: readonly [number, number, number] }[]) => {
    for (const d of rec) {
      const key = label + d.name
      const e = device.createCommandEncoder(); const p = e.beginComputePass(); p.setPipeline(d.pipeline); p.setBindGroup(0, d.bindGroup); p.dispatchWorkgroups(...d.groups); p.end()
      const t = performance.now(); device.queue.submit([e.finish()]); await device.queue.onSubmittedWorkDone()
      const ms = performance.now() - t
      if (!seen.has(key)) console.log(label, d.name, d.groups.join('x'), ms.toFixed(0), 'ms')
      seen.add(key)
    }
  }
  const { runner } = engine
  runner.decodeRows.writePages(0, [0, 1]); runner.prefillRows.writePages(0, [0, 1])
  const rows = (n: number) => Array.from({ length: n }, (_, position) => ({ token: 1, position, slot: 0 }))
  for (const n of [1, 8]) { runner.decodeRows.write(rows(n), [0]); await run('decode' + n, await runner.recording(runner.decodeRows, n, 1)) }
  for (const n of [8, 16, 32]) { runner.prefillRows.write(rows(n), []); await run('prefill' + n, await runner.recording(runner.prefillRows, n, 0)) }
}, 300000)
