import type { Row } from './types.mjs'
export interface Facts {
  date: string
  commit: string
  processors: string
  load: number
  after: number
  versions: Record<string, string | undefined>
}
export function report(rows: Row[], facts: Facts, kind: string, args: string[]): string
export function withStored(rows: Row[], kind: string): Row[]
