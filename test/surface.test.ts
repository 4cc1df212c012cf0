// The public surface: a name more or less is a decision, not an accident.
import { readFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import * as surface from '../src/index.ts'

/** Time and media, a bundle of its own. */
const media = [
  ...['Timeline', 'LiveTimeline', 'align', 'TICKS_PER_SECOND', 'fromIndex', 'fromMicros', 'fromSeconds', 'toMicros', 'toSeconds'],
  ...['exportPlan', 'importPlan', 'planToCSV', 'planToWebVTT', 'parseCues', 'writeCues', 'readCaptions', 'faults', 'faultOf'],
  ...['profiles', 'labelOf', 'sampleFrames', 'audioTokens', 'splitAtGaps', 'resample'],
  ...[
    'readPicture',
    'framePixels',
    'openMedia',
    'openCamera',
    'openMicrophone',
    'openScreen',
    'openPreparer',
    'planPictures',
    'pictureProfiles',
  ],
]

/** What a phone agent answered, another. */
const agent = ['parseAgent', 'pixelsOf']

it('exports exactly this', () => {
  const own = ['GlmError', 'cache', 'catalog', 'errorCodes', 'fromDrop', 'gpuInfo', 'loadGlm', 'planModel']
  expect(Object.keys(surface).sort()).toEqual([...own, ...media, ...agent].sort())
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
