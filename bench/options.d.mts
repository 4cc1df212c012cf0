export interface Options {
  adapters: string[]
  shapes?: string[]
  prompt: number
  gen: number
  context?: number
  rows: number
  kind: 'compare' | 'growth' | 'choices'
  peers: boolean
  firstVersion: boolean
  write: boolean
}
export const adapterNames: string[]
export const help: string
export function options(args: string[]): Options
