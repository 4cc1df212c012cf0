import type { Row } from './types.mjs'
export const columns: { title: string; right?: boolean }[]
export function table(rows: Row[]): string
export function jsonLines(rows: Row[]): string
