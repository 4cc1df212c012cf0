// What the catalog says of the embedded model is what lies in models/pocket: a cached copy is known by these digits.
import { createHash } from 'node:crypto'
import { readFileSync, statSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { expect, it } from 'vitest'
import { catalog } from '../../src/model/catalog.ts'

const folder = fileURLToPath(new URL('../../models/pocket/', import.meta.url))
const files = [
  'config.json',
  'generation_config.json',
  'tokenizer.json',
  'tokenizer_config.json',
  'chat_template.jinja',
  'model.safetensors',
]

it('pocket: revision, bytes, context and size limit', () => {
  const pocket = catalog.find(({ id }) => id === 'pocket')!
  const weights = readFileSync(`${folder}model.safetensors`)
  expect(pocket.revision).toBe(createHash('sha256').update(weights).digest('hex').slice(0, 12))
  expect(pocket.bytes).toBe(files.reduce((sum, file) => sum + statSync(folder + file).size, 0))
  expect(weights.length).toBeLessThanOrEqual(6e6)
  const config = JSON.parse(readFileSync(`${folder}config.json`, 'utf8'))
  expect(pocket.context).toBe(config.max_position_embeddings)
  expect(config.architectures[0]).toMatch(/^Glm4?ForCausalLM$/)
})
