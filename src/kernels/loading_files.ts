// The WGSL that codes weights while they load, under its names in shaders/: apart, because the lazy bundle wants these files and no others. And the
// shelf on which every bundle has its WGSL: its own, and what was fetched.
import bytes from '../../shaders/bytes.wgsl?raw'
import codes from '../../shaders/codes.wgsl?raw'
import half from '../../shaders/half.wgsl?raw'
import quantiseFromBf16 from '../../shaders/quantise/from_bf16.wgsl?raw'
import quantiseToQ4 from '../../shaders/quantise/to_q4.wgsl?raw'
import quantise from '../../shaders/quantise.wgsl?raw'
import window from '../../shaders/window.wgsl?raw'
import { GlmError } from '../errors.ts'
import type { ShaderFile } from '../gpu/shader.ts'
import type { FetchedName } from './fetched_files.ts'

const own = {
  bytes,
  codes,
  half,
  'quantise/from_bf16': quantiseFromBf16,
  'quantise/to_q4': quantiseToQ4,
  quantise,
  window,
}

export type LoadingName = keyof typeof own | FetchedName

const sources = new Map<string, string>(Object.entries(own))

/** Such as what stands in no bundle but a fetched one (fetched_files.ts). */
export function addFiles(files: Record<string, string>): void {
  for (const [name, source] of Object.entries(files)) sources.set(name, source)
}

/** All of WGSL: a change of it makes what was measured before worthless. */
export const kernelSources = (): string[] => [...sources.values()]

export const shelved = <Name extends string>(...names: Name[]): ShaderFile[] =>
  names.map((name) => {
    const source = sources.get(name)
    if (source === undefined) throw new GlmError('internal', `${name}.wgsl was not fetched.`)
    return { name: `${name}.wgsl`, source }
  })

export const loadingFiles = shelved<LoadingName>
