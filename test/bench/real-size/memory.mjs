// What a page and its workers hold while they run: heaps by the debugger's protocol, processes by /proc, the profile folder by its files.
import { readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'

const every = 100 // ms

/**
 * Attaches to the page's workers before their scripts run. `start` and `stop` stand around the time whose peaks are wanted; `ask` and `evaluate`
 * go to the youngest worker. `profile` is the folder of the browser's profile.
 */
export async function watch(page, { profile: folder, onWorker = async () => {} }) {
  const session = await page.context().newCDPSession(page)
  const workers = new Map()
  const waiting = new Map()
  let next = 1
  const ask = (worker, method, params = {}) =>
    new Promise((resolve, reject) => {
      const id = next++
      waiting.set(id, { resolve, reject })
      session.send('Target.sendMessageToTarget', { sessionId: worker, message: JSON.stringify({ id, method, params }) }).catch(reject)
    })
  session.on('Target.receivedMessageFromTarget', ({ message }) => {
    const { id, result, error } = JSON.parse(message)
    const asked = waiting.get(id)
    waiting.delete(id)
    if (error) asked?.reject(new Error(error.message))
    else asked?.resolve(result)
  })
  session.on('Target.attachedToTarget', async ({ sessionId, targetInfo }) => {
    workers.set(sessionId, targetInfo.type)
    const own = (method, params) => ask(sessionId, method, params)
    await onWorker(own).catch((error) => console.error(`real-size: ${error.message}`))
    await own('Runtime.runIfWaitingForDebugger').catch(() => {})
  })
  session.on('Target.detachedFromTarget', ({ sessionId }) => workers.delete(sessionId))
  await session.send('Target.setAutoAttach', { autoAttach: true, waitForDebuggerOnStart: true, flatten: false })

  const worker = () => [...workers.keys()].at(-1)
  let timers = []
  let peaks
  const start = () => {
    peaks = { samples: 0, js: 0, rendererBefore: processes(folder).renderer }
    timers = [
      repeat(every, async () => {
        const own = heap(await session.send('Runtime.getHeapUsage'))
        const theirs = worker() ? heap(await ask(worker(), 'Runtime.getHeapUsage')) : empty
        peaks.samples++
        const total = own.total + theirs.total
        if (total > peaks.js) Object.assign(peaks, { js: total, page: own, worker: theirs })
      }),
      repeat(every, async () => {
        for (const [kind, own] of Object.entries(processes(folder))) peaks[kind] = Math.max(peaks[kind] ?? 0, own)
      }),
      repeat(2000, async () => {
        peaks.disk = Math.max(peaks.disk ?? 0, folderBytes(folder))
      }),
    ]
    return peaks
  }
  const stop = () => {
    for (const timer of timers) timer()
    peaks.disk = Math.max(peaks.disk ?? 0, folderBytes(folder))
  }
  const evaluate = async (expression) => {
    const { result } = await ask(worker(), 'Runtime.evaluate', { expression, returnByValue: true })
    return result.value
  }
  const { product } = await session.send('Browser.getVersion')
  return { version: product, start, stop, evaluate, ask: (method, params) => ask(worker(), method, params) }
}

/** Used heap of V8 and of the browser's own objects, and the array buffers behind them, garbage that is not collected yet included. */
const heap = ({ usedSize = 0, embedderHeapUsedSize = 0, backingStorageSize = 0 }) => ({
  heap: usedSize + embedderHeapUsedSize,
  buffers: backingStorageSize,
  total: usedSize + embedderHeapUsedSize + backingStorageSize,
})
const empty = heap({})

/** Runs again a while after it has ended; a sample that fails is none. */
function repeat(ms, run) {
  let over = false
  const step = async () => {
    await run().catch(() => {})
    if (!over) setTimeout(step, ms)
  }
  step()
  return () => {
    over = true
  }
}

/** Resident bytes, files aside, of the browser that uses a profile folder: of its largest renderer, of its GPU process, of the main process. */
function processes(folder) {
  const all = readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap(processOf)
  const main = all.find(({ command }) => command.includes(folder) && !command.includes('--type='))
  const ours = new Set(main ? [main.pid] : [])
  for (let before = 0; before < ours.size; ) {
    before = ours.size
    for (const { pid, parent } of all) if (ours.has(parent)) ours.add(pid)
  }
  const largest = (type) => Math.max(0, ...all.filter(({ pid, command }) => ours.has(pid) && command.includes(type)).map(({ own }) => own))
  return { renderer: largest('--type=renderer'), gpu: largest('--type=gpu-process'), browser: main?.own ?? 0 }
}

function processOf(pid) {
  try {
    const command = readFileSync(`/proc/${pid}/cmdline`, 'utf8')
    if (!command.includes('chrom')) return []
    const status = readFileSync(`/proc/${pid}/status`, 'utf8')
    const field = (name) => Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(status)?.[1] ?? 0)
    return [{ pid: Number(pid), parent: field('PPid'), command, own: 1024 * (field('RssAnon') + field('RssShmem')) }]
  } catch {
    return [] // it ended meanwhile, or it is somebody else's
  }
}

function folderBytes(folder) {
  let sum = 0
  for (const entry of list(folder)) {
    const path = join(folder, entry.name)
    try {
      sum += entry.isDirectory() ? folderBytes(path) : statSync(path).blocks * 512
    } catch {} // a file that went away
  }
  return sum
}

function list(folder) {
  try {
    return readdirSync(folder, { withFileTypes: true })
  } catch {
    return []
  }
}
