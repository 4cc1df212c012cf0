import type { Shape, Tensor } from './types.mjs'
export const shapeNames: string[]
export function shapeOf(name: string): Shape
export function tensorsOf(shape: Shape): Tensor[]
