// Names of a text model that stands inside a model that sees: those of one alone.
import { expect, it } from 'vitest'
import { plainNames } from '../../src/model/layout.ts'
import type { Checkpoint } from '../../src/weights/tensor.ts'

const checkpointOf = (names: string[]): Checkpoint => ({
  tensors: new Map(names.map((name) => [name, { name, dtype: 'F16', shape: [1], file: 'model.safetensors', start: 0, end: 2 }])),
  bytes: 2,
})
const plain = (...names: string[]) => [...plainNames(checkpointOf(names)).tensors].map(([key, { name }]) => [key, name])
const twice = (name: string) => [name, name]

it('as transformers 5 writes them, and 4', () => {
  expect(plain('model.language_model.layers.0.mlp.down_proj.weight', 'model.language_model.norm.weight', 'lm_head.weight')).toEqual(
    ['model.layers.0.mlp.down_proj.weight', 'model.norm.weight', 'lm_head.weight'].map(twice),
  )
  expect(plain('language_model.model.embed_tokens.weight', 'language_model.lm_head.weight')).toEqual(
    ['model.embed_tokens.weight', 'lm_head.weight'].map(twice),
  )
})

it('others keep theirs', () => {
  const names = ['model.layers.0.language_model.weight', 'model.visual.norm.weight', 'visual.language_model.x', 'my.language_model.model.x']
  expect(plain(...names)).toEqual(names.map(twice))
})
