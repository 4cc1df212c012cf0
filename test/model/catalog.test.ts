// What the catalog says of the embedded model is what lies in models/pocket: a cached copy is known by these digits. Other entries are well-formed.
import { createHash } from 'node:crypto'
import { readFileSync, statSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { catalog } from '../../src/model/catalog.ts'
import { families } from '../../src/model/families.ts'
import { parseModelName } from '../../src/weights/hub.ts'

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

it('every id stands once, and none can be mistaken for a repository or an address', () => {
  expect(new Set(catalog.map(({ id }) => id)).size).toBe(catalog.length)
  expect(catalog.filter(({ id }) => parseModelName(id) !== undefined || !/^[a-z0-9][a-z0-9.-]*$/.test(id))).toEqual([])
})

describe.each(catalog.map((entry) => [entry.id, entry] as const))('%s', (_, entry) => {
  it('says what it is, in sentences', () => {
    expect(entry.title).toMatch(/^[A-Z].{2,40}$/)
    expect(entry.about).toMatch(/^[A-Z].*\.$/)
    expect(Object.keys(families)).toContain(entry.family)
    expect({ sees: entry.sees, hears: entry.hears }).toEqual({ sees: false, hears: false })
    expect(Number.isInteger(entry.bytes) && entry.bytes > 1e6 && Number.isInteger(entry.context) && entry.context >= 1024).toBe(true)
  })

  it('carries the notice that its licence wants', () => {
    expect(entry.notice).toBe(entry.licence === 'GLM-Edge' ? 'Built with GLM-Edge' : undefined)
    expect(entry.licence.length).toBeGreaterThan(2)
  })

  it('is embedded, or a GGUF of a repository at main or a commit', () => {
    if (entry.repository === undefined) return expect({ id: entry.id, file: entry.file }).toEqual({ id: 'pocket', file: undefined })
    expect(entry.revision).toMatch(/^(main|[0-9a-f]{40})$/)
    const { repository, revision, file } = entry
    expect(parseModelName(`${repository}@${revision}/${file}`)).toEqual({ repository, revision, file })
  })
})
