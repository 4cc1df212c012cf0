// The two visits as a table, the parts of each load as another, and what must hold.

const megabytes = (bytes) => `${(bytes / 1e6).toFixed(1)} MB`
const seconds = (value) => (value === undefined ? '' : `${value.toFixed(1)} s`)

const rows = [
  ['bytes served', ({ served }) => megabytes(served.bytes)],
  ['requests', ({ served }) => served.requests],
  ['cuts survived', ({ served }) => served.cuts],
  ['bytes from the cache', ({ cached }) => megabytes(cached)],
  ['load', ({ at }) => seconds(at.ready)],
  ['… first piece at', ({ at }) => seconds(at['first download'])],
  ['… first bytes on the GPU at', ({ at }) => seconds(at['first upload'])],
  ['… embedding and first layer on the GPU at', ({ at }) => seconds(at['first layer'])],
  ['… last byte left the server at', ({ lastByte }) => seconds(lastByte)],
  ['… last piece at', ({ at }) => seconds(at['last download'])],
  ['… last bytes on the GPU at', ({ at }) => seconds(at['last upload'])],
  ['… pipelines compiled and row written', ({ at }) => seconds(Math.max(0, at.ready - at['last upload']))],
  ['JS memory at its peak, page and worker', ({ peaks }) => megabytes(peaks.js)],
  ['… of the worker: heap + buffers', ({ peaks }) => `${megabytes(peaks.worker.heap)} + ${megabytes(peaks.worker.buffers)}`],
  ['… of the page: heap + buffers', ({ peaks }) => `${megabytes(peaks.page.heap)} + ${megabytes(peaks.page.buffers)}`],
  ['renderer process, before and at its peak', ({ peaks }) => `${megabytes(peaks.rendererBefore)}, ${megabytes(peaks.renderer)}`],
  ['GPU process at its peak', ({ peaks }) => megabytes(peaks.gpu)],
  ['browser process at its peak', ({ peaks }) => megabytes(peaks.browser)],
  ['disk at its peak', ({ peaks }) => megabytes(peaks.disk)],
  ['IndexedDB says it uses', ({ disk }) => megabytes(disk)],
  ['prompt and answer, tokens', ({ usage }) => `${usage.prompt_tokens} + ${usage.completion_tokens}`],
  ['first token after', ({ timings }) => seconds(timings.first_token_ms / 1000)],
  ['decode', ({ usage, timings }) => `${((1000 * (usage.completion_tokens - 1)) / timings.decode_ms).toFixed(2)} tok/s`],
  ['answer', ({ text }) => JSON.stringify(text)],
]

/** Figures of both visits side by side. */
export const table = (visits) =>
  markdown(
    ['', 'first', 'second'],
    rows.map(([name, tell]) => [name, ...visits.map(tell)]),
  )

/** Where the worker's time went: one visit's spans, longest first. */
export function parts({ spans }) {
  const sorted = Object.entries(spans).sort(([, one], [, other]) => other.busy - one.busy)
  const told = sorted.map(([name, { calls, bytes, seconds, busy }]) => [
    name,
    calls,
    bytes ? megabytes(bytes) : '',
    `${busy.toFixed(2)} s`,
    `${((1000 * seconds) / calls).toFixed(2)} ms`,
    bytes ? `${((1000 * busy) / (bytes / 1e6)).toFixed(2)} ms` : '',
  ])
  return markdown(['in the worker', 'calls', 'bytes', 'under way', 'a call', 'a MB'], told)
}

const markdown = (head, body) => [head, head.map(() => '---'), ...body].map((cells) => `| ${cells.join(' | ')} |`).join('\n')

const memoryLimit = 300e6

/** Sentences about what does not hold. */
export function broken([first, second], { cuts, size }) {
  const faults = []
  const must = (holds, sentence) => holds || faults.push(sentence)
  must(first.served.cuts === cuts, `the connection was cut ${first.served.cuts} times instead of ${cuts}`)
  must(first.served.bytes >= size, `the first visit took ${first.served.bytes} bytes of a file of ${size}`)
  must(second.served.bytes === 0, `the second visit took ${second.served.bytes} bytes from the network`)
  must(first.usage.completion_tokens > 1, 'there was no answer of more than a token')
  must(first.text === second.text, 'the second visit answered something else')
  for (const [index, { peaks, warnings }] of [first, second].entries()) {
    const visit = ['first', 'second'][index]
    must(peaks.samples > 10, `the ${visit} visit's memory was sampled ${peaks.samples} times only`)
    must(peaks.js < memoryLimit, `the ${visit} visit took ${megabytes(peaks.js)} of JS memory, and ${megabytes(memoryLimit)} is the limit`)
    must(warnings.length === 0, `the ${visit} visit was warned: ${warnings.join(' ')}`)
  }
  return faults
}
