// Whether the browser has room for a model, asked before its first byte.
import { GlmError } from '../errors.ts'
import { asManifest, indexedStore, keptBytes, type PieceStore, rowKey } from './store.ts'

export interface RoomOptions {
  store?: PieceStore
  /** Default: what the browser says. */
  estimate?: () => Promise<StorageEstimate> | undefined
}

/** Throws `quota_exceeded` where `bytes` of a model, less what is kept of it already, do not fit. Where nobody can tell, it passes. */
export async function checkRoom(name: string, bytes: number, options: RoomOptions = {}): Promise<void> {
  const { store = indexedStore(), estimate = () => globalThis.navigator?.storage?.estimate?.() } = options
  if (!store) return
  const row = asManifest(await store.get(rowKey(name)).catch(() => undefined))
  const { quota, usage = 0 } = (await estimate()?.catch(() => undefined)) ?? {}
  const needed = bytes - (row ? keptBytes(row) : 0)
  const free = Math.max(0, (quota ?? 0) - usage)
  if (quota === undefined || needed <= free) return
  throw new GlmError(
    'quota_exceeded',
    `Keeping ${name} takes ${told(needed)} and the browser has room for ${told(free)}; free disk space, delete models from the cache, or load with cache: 'none'.`,
  )
}

const told = (bytes: number) => `${bytes} bytes (${(bytes / 1e9).toFixed(2)} GB)`
