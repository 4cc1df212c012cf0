// The figures of the bench as data: how each is written in the table of the page, and the row of Markdown that bench/RESULTS.md has.
import type { BenchResult } from 'glm-webgpu'
import { bytes, number, percent } from './view.ts'

type Figure = Exclude<
  keyof BenchResult,
  'adapter' | 'software' | 'model' | 'weights' | 'prompt' | 'gen' | 'rows' | 'context' | 'encoders_per_token'
>

/** Three digits that count. */
const three = (value: number): string => number(value, Math.max(0, 2 - Math.floor(Math.log10(Math.max(value, 0.001)))))
const count = (value: number): string => number(value, 2)

export const figures: readonly [name: Figure, write: (value: number) => string][] = [
  ['prefill_tok_s', three],
  ['decode_tok_s', three],
  ['ttft_ms', three],
  ['gpu_ms_per_token', three],
  ['host_ms_per_token', three],
  ['dispatches_per_token', count],
  ['submits_per_token', count],
  ['bind_groups_per_token', count],
  ['creates_per_token', count],
  ['reads_per_token', count],
  ['bytes_per_token', bytes],
  ['stream_gb_s', three],
  ['stream_share', percent],
]

/** The columns of bench/RESULTS.md, in their order and with their digits, whatever the language of the page. */
export function markdownRow(result: BenchResult): string {
  const speed = (value: number) => value.toFixed(value >= 99.5 ? 0 : value >= 9.95 ? 1 : value >= 0.995 ? 2 : 3)
  const cells = [
    'glm-webgpu',
    result.adapter,
    `${result.model} ${result.weights}`,
    result.prompt,
    result.context,
    result.rows,
    speed(result.prefill_tok_s),
    speed(result.decode_tok_s),
    result.ttft_ms.toFixed(0),
    result.gpu_ms_per_token.toFixed(2),
    result.host_ms_per_token.toFixed(3),
    result.dispatches_per_token.toFixed(1),
    result.submits_per_token.toFixed(2),
    result.bind_groups_per_token.toFixed(2),
    result.reads_per_token.toFixed(2),
    `${(100 * result.stream_share).toFixed(0)} %`,
    'from the demo',
  ]
  return `| ${cells.map((cell) => String(cell).replace(/\|/g, '/')).join(' | ')} |`
}
