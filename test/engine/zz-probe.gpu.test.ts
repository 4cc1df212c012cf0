import { it } from 'vitest'
import { fileURLToPath } from 'node:url'
import { Engine } from '../../src/engine/engine.ts'
import { dawn } from '../../src/gpu/dawn.ts'
import { folderSource } from '../../src/weights/folder.ts'
const fixtures = fileURLToPath(new URL('../fixtures', import.meta.url))
it('probe', async () => {
  const gpu = await dawn()
  const spy = (e: any) => e
  for (const limits of [undefined, { binding: 65536 }]) {
    const t0 = performance.now()
    const phases: string[] = []
    const engine = await Engine.load({ gpu, source: folderSource(`${fixtures}/checkpoints/glm-edge-f32`), weights: 'f32', context: 512, limits, onProgress: (p) => phases.push(`${p.phase} ${(performance.now() - t0).toFixed(0)}`) })
    console.log(limits, 'load', performance.now() - t0, phases.at(0), phases.at(-2), phases.at(-1), engine.pipelines.size)
    for (const n of [8, 100]) { const t1 = performance.now(); await engine.score(Array.from({ length: n }, (_, i) => i), () => {}); console.log('score', n, performance.now() - t1) }
    const t2 = performance.now()
    await engine.scheduler.run({ prompt: Array.from({ length: 100 }, (_, i) => i + 7), sampling: { temperature: 0, topK: 0, topP: 1, seed: [0, 0] }, maxTokens: 5, onToken: () => true })
    console.log('generate', performance.now() - t2, engine.pipelines.size)
    await engine.close()
  }
})
