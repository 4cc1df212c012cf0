// The public surface: a name more or less is a decision, not an accident.
import { readFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import * as surface from '../src/index.ts'

it('exports exactly this', () => {
  expect(Object.keys(surface).sort()).toEqual(['GlmError', 'cache', 'catalog', 'errorCodes', 'fromDrop', 'gpuInfo', 'loadGlm', 'planModel'])
  expect(Object.keys(surface.cache).sort()).toEqual(['delete', 'export', 'import', 'list', 'persist', 'repair', 'size'])
})

it('every error code is thrown somewhere in the sources', async () => {
  const { readdirSync } = await import('node:fs')
  const files = readdirSync(new URL('../src', import.meta.url), { recursive: true }) as string[]
  const code = files
    .filter((file) => file.endsWith('.ts') && file !== 'errors.ts')
    .map((file) => readFileSync(new URL(`../src/${file}`, import.meta.url), 'utf8'))
  const unused = Object.keys(surface.errorCodes).filter((name) => !code.some((text) => text.includes(`'${name}'`)))
  expect(unused).toEqual([])
})
