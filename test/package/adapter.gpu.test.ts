// Dawn in Node really runs on the adapter that this project claims.
import { expect, inject, test } from 'vitest'
import { create } from 'webgpu'
import { hasF16 } from '../adapters.ts'

const held: unknown[] = [] // Dawn crashes when these are collected

test('the adapter is the one that was asked for', async () => {
  const gpu = create([])
  const adapter = await gpu.requestAdapter()
  held.push(gpu, adapter)
  expect(adapter?.features.has('shader-f16')).toBe(hasF16[inject('adapter')])
  expect(`${adapter?.info.description} ${adapter?.info.architecture}`.toLowerCase()).toContain(
    inject('adapter') === 'lavapipe' ? 'llvmpipe' : 'swiftshader',
  )
})
