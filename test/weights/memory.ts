// Test doubles: a store in memory, a source in memory, and locks.
import { GlmError } from '../../src/errors.ts'
import type { Source } from '../../src/weights/source.ts'
import type { PieceStore } from '../../src/weights/store.ts'

/** A store in memory with a fault to switch on. It keeps what structured cloning keeps. */
export class MemoryStore implements PieceStore {
  rows = new Map<string, unknown>()
  writes: string[] = []
  fault: ((call: 'get' | 'set' | 'delete' | 'keys', key: string) => void) | undefined
  /** Awaited before a write is done. */
  pause: (() => Promise<unknown>) | undefined

  async get(key: string) {
    this.fault?.('get', key)
    return this.rows.get(key)
  }

  async set(key: string, value: unknown) {
    this.fault?.('set', key)
    const kept = value instanceof Blob ? value : structuredClone(value)
    await this.pause?.()
    this.writes.push(key)
    this.rows.set(key, kept)
  }

  async delete(keys: string[]) {
    for (const key of keys) {
      this.fault?.('delete', key)
      this.rows.delete(key)
    }
  }

  async keys() {
    this.fault?.('keys', '')
    return [...this.rows.keys()]
  }

  pieces() {
    return [...this.rows.keys()].filter((key) => key.startsWith('part:')).sort()
  }
}

/** A source in memory that logs what it is asked; `chunk`: it streams, so many bytes at a time. */
export function memorySource(files: Map<string, Uint8Array<ArrayBuffer>>, { name = 'model', chunk = 0 } = {}) {
  const log: string[] = []
  const state = { etag: '"1"', offline: false, running: 0, most: 0, streamed: 0 }
  const find = (path: string) => {
    if (state.offline) throw new GlmError('network_failed', 'offline')
    const bytes = files.get(path)
    if (!bytes) throw new GlmError('file_missing', path)
    return bytes
  }
  const source: Source = {
    name,
    async size(path) {
      log.push(`size ${path}`)
      return find(path).length
    },
    async read(path, start, end) {
      log.push(`${path} ${start}-${end}`)
      await new Promise((resolve) => setTimeout(resolve))
      return find(path).slice(start, end)
    },
    etag: () => state.etag,
  }
  if (chunk > 0) {
    source.stream = async function* (path, start, end, signal) {
      log.push(`${path} ${start}-${end}`)
      state.most = Math.max(state.most, ++state.running)
      try {
        for (let at = start; at < end; at += chunk) {
          await new Promise((resolve) => setTimeout(resolve))
          if (signal?.aborted) throw new GlmError('aborted', 'aborted')
          const bytes = find(path).slice(at, Math.min(end, at + chunk))
          state.streamed += bytes.length
          yield bytes
        }
      } finally {
        state.running--
      }
    }
  }
  return { source, log, state, files }
}

/** Web Locks, exclusive ones. */
export function memoryLocks(): LockManager & { waiting: number } {
  const ends = new Map<string, Promise<unknown>>()
  const locks = {
    waiting: 0,
    async request(name: string, { signal }: LockOptions, run: (lock: null) => Promise<unknown>) {
      const before = ends.get(name)
      locks.waiting++
      const turn = new Promise<void>((resolve, reject) => {
        signal?.addEventListener('abort', () => reject(signal.reason))
        if (before) void before.then(() => resolve())
        else resolve()
      }).finally(() => locks.waiting--)
      const done = turn.then(() => run(null))
      ends.set(name, before ? Promise.all([before, done.catch(() => {})]) : done.catch(() => {}))
      return done
    },
  }
  return locks as unknown as LockManager & { waiting: number }
}

export const bytesOf = (length: number) => Uint8Array.from({ length }, (_, at) => (at * 31 + (at >> 8)) & 255)
