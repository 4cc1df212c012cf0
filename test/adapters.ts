// The four adapters every number is held against, and how a Chromium is started for each. Data only; scripts/setup.mjs finds the paths.
import { runtimeFolder, type Setup, setup } from '../scripts/setup.mjs'

export type Adapter = 'swiftshader' | 'lavapipe'
export const adapters: readonly Adapter[] = ['swiftshader', 'lavapipe']

/** SwiftShader has no f16; that is how a test tells which of the two it really runs on (both call themselves SwiftShader in Chromium). */
export const hasF16: Record<Adapter, boolean> = { swiftshader: false, lavapipe: true }

const flags = [
  '--no-sandbox',
  '--enable-unsafe-webgpu',
  '--use-webgpu-adapter=swiftshader',
  '--enable-features=Vulkan',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--no-first-run',
]

/** The lavapipe copy opens Mesa's driver inside the GPU process, which that process's sandbox forbids. */
export const chromiumFlags: Record<Adapter, string[]> = { swiftshader: flags, lavapipe: [...flags, '--disable-gpu-sandbox'] }

/** Paths from the environment where scripts/test.mjs set them, else whatever is on the machine; nothing is installed from here. */
export async function machine(): Promise<Setup> {
  const given = process.env.GLM_SETUP
  return given ? (JSON.parse(given) as Setup) : setup({ install: false, log: () => {} })
}

/** Environment of a Node process whose Dawn is to run on this adapter. */
export function dawnEnvironment(adapter: Adapter, icd: string | undefined): Record<string, string> {
  return { GLM_ADAPTER: adapter, VK_ICD_FILENAMES: icd ?? '/nothing/found', XDG_RUNTIME_DIR: runtimeFolder() }
}
