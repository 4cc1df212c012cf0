import { mkdirSync, rmSync } from 'node:fs'
import { test } from 'vitest'
import { packFolder } from '../../src/cli/pack.ts'
import { Buffers } from '../../src/gpu/buffers.ts'
import { dawn } from '../../src/gpu/dawn.ts'
import { openGpu } from '../../src/gpu/device.ts'
import { Pipelines } from '../../src/gpu/pipeline.ts'
import { plain } from '../../src/kernels/matrix.ts'
import { folderSource } from '../../src/weights/folder.ts'
import { Loader } from '../../src/weights/load.ts'
import { ErrorSum } from '../../src/weights/loss.ts'
import { unlay } from '../../src/weights/unlay.ts'

test('oracle', async () => {
  const gpu = await openGpu(await dawn())
  const folder = '/work/main/.tmp/ppack'
  rmSync(folder, { recursive: true, force: true })
  mkdirSync(folder, { recursive: true })
  await packFolder({ gpu, source: folderSource('test/fixtures/checkpoints/glm4-sharded-bf16'), folder, shardBytes: 8192, pieceBytes: 512 })
})
test('bench', async () => {
  const gpu = await openGpu(await dawn())
  const buffers = new Buffers(gpu)
  const [rows, columns] = [8192, 4096]
  for (const [format, step] of [
    ['q4', 1],
    ['q4', 2],
    ['q8', 1],
  ] as const) {
    const entry = { name: 'w', dtype: 'F16', shape: [rows, columns], file: 'f', start: 0, end: rows * columns * 2 }
    const loader = new Loader({
      gpu,
      buffers,
      pipelines: new Pipelines(gpu),
      source: {} as never,
      checkpoint: { tensors: new Map([['w', entry]]), bytes: 1 },
    })
    const m = loader.matrix({ name: 'w', rows, columns, pieces: [{ tensor: 'w', from: 0, rows, offset: 0, step: 1 }] }, plain(format))
    for (let i = 0; i < 3; i++) {
      const began = performance.now()
      let bytes = 0
      for (let o = 0; o < step; o++)
        for (const field of ['codes', 'scales'] as const)
          await unlay(gpu.device, m, { offset: o, step }, 0, rows / step, field, (b) => void (bytes += b.length))
      const ms = performance.now() - began
      console.log(format, step, bytes, ms.toFixed(1), 'ms', (bytes / ms / 1000).toFixed(0), 'MB/s')
    }
  }
  const values = new Float32Array(1024 * 4096).map(() => Math.random())
  const sum = new ErrorSum()
  for (let i = 0; i < 3; i++) {
    const began = performance.now()
    sum.add(plain('q4'), 1024, { codes: new Uint8Array(1024 * 2048), scales: new Uint8Array(1024 * 256) }, values)
    console.log('error', ((performance.now() - began) / (values.length / 1e6)).toFixed(2), 'ms per million values')
  }
}, 100000)
