import type { Row } from './types.mjs'
export const storedNote: string
export const stored: Row[]
export const yardstick: Row
export const targets: { figure: 'decode_tok_s' | 'prefill_tok_s'; peer: string; times: number; scaled: boolean }[]
export const targetSetting: { adapter: string; shape: string; prompt: number; rows: number }
