// Counts calls, bytes and seconds of the slow things that a load is made of. `seconds` sums all calls, `busy` is the time in which at least one was
// under way. Read by the bench as `spans()`.
const table = {}

function begin(name, bytes = 0) {
  table[name] ??= { calls: 0, bytes: 0, seconds: 0, busy: 0, running: 0, since: 0 }
  const row = table[name]
  const start = performance.now()
  row.calls++
  row.bytes += bytes
  if (row.running++ === 0) row.since = start
  return (more = 0) => {
    const now = performance.now()
    row.bytes += more
    row.seconds += (now - start) / 1000
    if (--row.running === 0) row.busy += (now - row.since) / 1000
  }
}

function wrap(owner, method, around) {
  const own = owner?.prototype[method]
  if (!own) return
  owner.prototype[method] = function (...args) {
    return around(() => own.apply(this, args), args, this)
  }
}

const asyncSpan =
  (name, bytesOf = () => 0, more = () => 0) =>
  (call, args, self) => {
    const end = begin(name, bytesOf(args, self))
    const result = call()
    result.then(
      (value) => end(more(value)),
      () => end(),
    )
    return result
  }

const syncSpan =
  (name, bytesOf = () => 0) =>
  (call, args) => {
    const end = begin(name, bytesOf(args))
    const result = call()
    end()
    return result
  }

wrap(
  globalThis.SubtleCrypto,
  'digest',
  asyncSpan('hash', ([, bytes]) => bytes.byteLength),
)
wrap(
  globalThis.Blob,
  'arrayBuffer',
  asyncSpan('read Blob', (_, blob) => blob.size),
)
wrap(
  globalThis.ReadableStreamDefaultReader,
  'read',
  asyncSpan('wait for network', undefined, ({ value }) => value?.byteLength ?? 0),
)
wrap(globalThis.GPUQueue, 'onSubmittedWorkDone', asyncSpan('wait for GPU'))
wrap(globalThis.GPUBuffer, 'mapAsync', asyncSpan('map buffer'))
wrap(globalThis.GPUDevice, 'createComputePipelineAsync', asyncSpan('compile pipeline'))
wrap(globalThis.GPUDevice, 'createBindGroup', syncSpan('bind group (JS)'))
wrap(
  globalThis.GPUQueue,
  'writeBuffer',
  syncSpan('writeBuffer (JS)', ([, , data]) => data.byteLength),
)
wrap(globalThis.GPUQueue, 'submit', syncSpan('submit (JS)'))
wrap(globalThis.IDBObjectStore, 'put', (call, [value]) => {
  const end = begin(value instanceof Blob ? 'write piece to IndexedDB' : 'write row to IndexedDB', value?.size ?? 0)
  const request = call()
  request.transaction.addEventListener('complete', () => end())
  request.transaction.addEventListener('abort', () => end())
  return request
})
wrap(globalThis.IDBObjectStore, 'get', (call) => {
  const end = begin('get from IndexedDB')
  const request = call()
  request.addEventListener('success', () => end())
  request.addEventListener('error', () => end())
  return request
})

globalThis.spans = () => Object.fromEntries(Object.entries(table).map(([name, { running, since, ...row }]) => [name, row]))
