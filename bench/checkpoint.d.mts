import type { Shape, Tensor } from './types.mjs'
export function writeCheckpoint(folder: string, shape: Shape): void
export function configOf(shape: Shape): Record<string, unknown>
export function safetensorsHeader(tensors: Tensor[]): Uint8Array<ArrayBuffer>
