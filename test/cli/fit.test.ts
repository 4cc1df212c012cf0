// What doctor says of a model: bytes, parts, and what is missing.
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { fitModel } from '../../src/cli/fit.ts'
import { readModel } from '../../src/engine/checkpoint.ts'
import { folderSource } from '../../src/weights/folder.ts'

const files = await readModel(folderSource(fileURLToPath(new URL('../fixtures/checkpoints/glm-chat-bf16', import.meta.url))))
const fitted = (options: { weights?: 'f32' | 'q4'; binding: number }, of = files) => fitModel(of, { name: 'm', ...options })

test('where bindings are wide, every tensor stands in one part', () => {
  const { fits, format, formats, tensors, bytes, faults } = fitted({ binding: 2 ** 27 })
  expect({ fits, format, formats, faults }).toEqual({ fits: true, format: 'q4', formats: ['q4', 'q8', 'f16', 'f32'], faults: [] })
  expect(new Set(tensors.map(({ parts }) => parts))).toEqual(new Set([1]))
  expect(bytes).toBe(tensors.reduce((sum, tensor) => sum + tensor.bytes, 0))
})

test('a narrow binding splits matrices, a tiny one holds none', () => {
  const split = fitted({ binding: 16 * 1024, weights: 'f32' })
  expect(split.fits).toBe(true)
  expect(Math.max(...split.tensors.map(({ parts }) => parts))).toBeGreaterThan(1)
  const none = fitted({ binding: 256, weights: 'f32' })
  expect({ fits: none.fits, formats: none.formats }).toEqual({ fits: false, formats: [] })
})

test('tensors that are missing or have another shape are named', () => {
  const tensors = new Map(files.checkpoint.tensors)
  const norm = tensors.get('model.norm.weight')!
  tensors.delete('model.embed_tokens.weight')
  tensors.set('model.norm.weight', { ...norm, shape: [1] })
  const { fits, faults } = fitted({ binding: 2 ** 27 }, { ...files, checkpoint: { ...files.checkpoint, tensors } })
  expect(fits).toBe(false)
  expect(faults).toEqual([
    expect.stringMatching(/no tensor model\.embed_tokens\.weight/),
    expect.stringMatching(/model\.norm\.weight has shape \[1\] where config\.json asks for \[\d+\]/),
  ])
})
