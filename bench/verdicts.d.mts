import type { Row } from './types.mjs'
export interface Verdict {
  text: string
  ratio?: number
  reached?: boolean
}
export const ours: string
export function verdicts(rows: Row[]): Verdict[]
export function sinceFirst(rows: Row[]): Verdict[]
export function scaledReading(engine: string, figure: string, now: Row | undefined): number | undefined
