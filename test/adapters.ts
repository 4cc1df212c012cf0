// The four adapters every number is held against, and how a Chromium is started for each. Data only; scripts/setup.mjs finds the paths.
import { chromiumFlags } from '../scripts/chromium-flags.mjs'
import { runtimeFolder, type Setup, setup } from '../scripts/setup.mjs'

export { chromiumFlags }

export type Adapter = 'swiftshader' | 'lavapipe'
export const adapters: readonly Adapter[] = ['swiftshader', 'lavapipe']

/** SwiftShader has no f16; that is how a test tells which of the two it really runs on (both call themselves SwiftShader in Chromium). */
export const hasF16: Record<Adapter, boolean> = { swiftshader: false, lavapipe: true }

/** Paths from the environment where scripts/test.mjs set them, else whatever is on the machine; nothing is installed from here. */
export async function machine(): Promise<Setup> {
  const given = process.env.GLM_SETUP
  return given ? (JSON.parse(given) as Setup) : setup({ install: false, log: () => {} })
}

/** Lavapipe with vectors of four: a shader's machine code, and the time to compile it, which is most of what tests on it wait for, is half as long as with eight. */
export const narrow = { LP_NATIVE_VECTOR_WIDTH: '128' }

/** Environment of a Node process whose Dawn is to run on this adapter. */
export function dawnEnvironment(adapter: Adapter, icd: string | undefined): Record<string, string> {
  return { GLM_ADAPTER: adapter, VK_ICD_FILENAMES: icd ?? '/nothing/found', XDG_RUNTIME_DIR: runtimeFolder(), ...narrow }
}
