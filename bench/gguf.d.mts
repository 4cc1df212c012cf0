import type { Shape, Tensor } from './types.mjs'
export function writeGguf(path: string, shape: Shape): void
export function ggufHeader(shape: Shape, tensors?: Tensor[]): Uint8Array<ArrayBuffer>
