// What the catalog says of the embedded models is what lies in models/: a cached copy is known by these digits. Other entries are well-formed.
import { createHash } from 'node:crypto'
import { existsSync, readFileSync, statSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { embedded as embeddedFiles } from '../../scripts/build.mjs'
import { embedded } from '../../src/api/embedded.ts'
import { catalog } from '../../src/model/catalog.ts'
import { families } from '../../src/model/families.ts'
import { parseModelName } from '../../src/weights/hub.ts'

const folderOf = (name: string) => fileURLToPath(new URL(`../../models/${name}/`, import.meta.url))
/** Bytes of weights at most, and the class. */
const limits: Record<string, [number, RegExp]> = {
  pocket: [6e6, /^Glm4?ForCausalLM$/],
  'pocket-v': [12e6, /^Glm46VForConditionalGeneration$/],
}

it('the embedded models are these, and each has its files', () => {
  expect(catalog.flatMap(({ id, repository }) => (repository ? [] : [id]))).toEqual(Object.keys(embeddedFiles))
  expect(Object.keys(embedded)).toEqual(Object.keys(embeddedFiles))
  for (const [name, own] of Object.entries(embedded)) {
    expect(Object.keys(own())).toEqual(embeddedFiles[name as keyof typeof embeddedFiles])
    for (const [file, address] of Object.entries(own())) expect(address.endsWith(`/${name}/${file}`)).toBe(true)
  }
})

it.each(Object.entries(embeddedFiles).filter(([name]) => name === 'pocket' || existsSync(`${folderOf(name)}model.safetensors`)))(
  '%s: revision, bytes, context and size limit',
  (name, files) => {
    const folder = folderOf(name)
    const entry = catalog.find(({ id }) => id === name)!
    const weights = readFileSync(`${folder}model.safetensors`)
    expect(entry.revision).toBe(createHash('sha256').update(weights).digest('hex').slice(0, 12))
    expect(entry.bytes).toBe(files.reduce((sum, file) => sum + statSync(folder + file).size, 0))
    const [most, architecture] = limits[name]!
    expect(weights.length).toBeLessThanOrEqual(most)
    const config = JSON.parse(readFileSync(`${folder}config.json`, 'utf8'))
    expect(entry.context).toBe((config.text_config ?? config).max_position_embeddings)
    expect(entry.sees).toBe(config.vision_config !== undefined)
    expect(config.architectures[0]).toMatch(architecture)
  },
)

it('every id stands once, and none can be mistaken for a repository or an address', () => {
  expect(new Set(catalog.map(({ id }) => id)).size).toBe(catalog.length)
  expect(catalog.filter(({ id }) => parseModelName(id) !== undefined || !/^[a-z0-9][a-z0-9.-]*$/.test(id))).toEqual([])
})

describe.each(catalog.map((entry) => [entry.id, entry] as const))('%s', (_, entry) => {
  it('says what it is, in sentences', () => {
    expect(entry.title).toMatch(/^[A-Z].{2,40}$/)
    expect(entry.about).toMatch(/^[A-Z].*\.$/)
    expect(Object.keys(families)).toContain(entry.family)
    expect({ sees: entry.sees, hears: entry.hears }).toEqual({ sees: entry.id === 'pocket-v', hears: false })
    expect(Number.isInteger(entry.bytes) && entry.bytes > 1e6 && Number.isInteger(entry.context) && entry.context >= 1024).toBe(true)
  })

  it('carries the notice that its licence wants', () => {
    expect(entry.notice).toBe(entry.licence === 'GLM-Edge' ? 'Built with GLM-Edge' : undefined)
    expect(entry.licence.length).toBeGreaterThan(2)
  })

  it('is embedded, or a GGUF of a repository at main or a commit', () => {
    if (entry.repository === undefined) return expect(entry.file).toBeUndefined()
    expect(entry.revision).toMatch(/^(main|[0-9a-f]{40})$/)
    const { repository, revision, file } = entry
    expect(parseModelName(`${repository}@${revision}/${file}`)).toEqual({ repository, revision, file })
  })
})
