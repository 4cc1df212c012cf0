// Types of the bench's parts, for the tests: one row of the table, one job, one shape, one tensor.
export interface Shape {
  name: string
  family: string
  layers: number
  hidden: number
  vocabulary: number
  [field: string]: number | string | boolean
}

export interface Tensor {
  hf: string
  gguf: string
  rows: number
  columns?: number
  value?: number
}

export interface Job {
  engine: string
  adapter: string
  shape: string
  by: 'bench' | 'chat' | 'wllama'
  prompt: number
  gen: number
  context?: number
  rows: number
  without: string[]
  /** The one variant of all matrices. */
  variant?: string
  webgpu?: boolean
}

export interface Row extends Partial<Omit<Job, 'by'>> {
  engine: string
  adapter: string
  shape: string
  measured?: 'now' | 'stored'
  failed?: string
  unlike?: boolean
  note?: string
  prefill_tok_s?: number
  decode_tok_s?: number
  ttft_ms?: number
  dispatches_per_token?: number
  submits_per_token?: number
  stream_share?: number
}
