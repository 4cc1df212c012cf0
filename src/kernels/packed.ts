// WGSL that reads the codes of our own packed form; apart from blocks.ts because the core loads that form.
import packed from '../../shaders/blocks/packed.wgsl?raw'
import type { ShaderFile } from '../gpu/shader.ts'

export const packedFiles: readonly ShaderFile[] = [{ name: 'blocks/packed.wgsl', source: packed }]
