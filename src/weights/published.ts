// Where the hash of a whole file is published, the file must have it before its row counts as complete. The hash follows the pieces in order; those
// that come out of order wait on disk. Part of the lazy bundle.
import { createSHA256 } from 'hash-wasm'
import { GlmError } from '../errors.ts'
import type { Follower, Load } from './cache.ts'
import { digest, hex } from './store.ts'

interface Hasher {
  update(bytes: Uint8Array<ArrayBuffer>): void
  /** In hexadecimal. */
  digest(): string | Promise<string>
}

/** Up to here the browser's own hash takes a file at once: nearly twice as fast as WebAssembly, but it cannot go on from where it stopped. */
const wholeBytes = 64 * 2 ** 20

/** For `CacheOptions.follow`. */
export function checkPublished(load: Load): Follower {
  const checks = new Map<string, Check>()
  const check = (path: string, whole: boolean, signal?: AbortSignal) => {
    const file = load.manifest.files.get(path)
    const sha256 = load.sha256?.(path)?.toLowerCase()
    if (!file || !sha256 || file.sha256 === sha256) return undefined
    const known = checks.get(path) ?? new Check(load, path, sha256)
    checks.set(path, known)
    return known.follow(whole, signal)
  }
  return {
    kept: (path) => void check(path, false)?.catch(() => {}), // finish meets the same fault
    async finish(signal) {
      for (const path of load.manifest.files.keys()) await check(path, true, signal)
    },
  }
}

class Check {
  readonly #load: Load
  readonly #path: string
  readonly #sha256: string
  #hash: Promise<Hasher> | undefined
  #next = 0
  #running: Promise<void> = Promise.resolve()

  constructor(load: Load, path: string, sha256: string) {
    this.#load = load
    this.#path = path
    this.#sha256 = sha256
  }

  /** As far as pieces are there; `whole`: to the end, even if no reader asked for all of it. */
  follow(whole: boolean, signal?: AbortSignal): Promise<void> {
    this.#running = this.#running.then(() => this.#follow(whole, signal))
    return this.#running
  }

  async #follow(whole: boolean, signal?: AbortSignal): Promise<void> {
    const load = this.#load
    const file = load.manifest.files.get(this.#path)
    if (!file || file.sha256 === this.#sha256) return
    const { pieceBytes } = load.manifest
    this.#hash ??= file.size > wholeBytes ? streamingHash() : Promise.resolve(wholeHash())
    const hash = await this.#hash
    if (whole) load.announce([{ file: this.#path, start: this.#next * pieceBytes, end: file.size }])
    for (let start = this.#next * pieceBytes; start < file.size; start = this.#next * pieceBytes) {
      const end = Math.min(file.size, start + pieceBytes)
      const bytes = (await load.peek(this.#path, this.#next)) ?? (whole ? await load.read(this.#path, start, end, signal) : undefined)
      if (!bytes) return
      hash.update(bytes)
      this.#next++
    }
    if ((await hash.digest()) === this.#sha256) file.sha256 = this.#sha256
    else await this.#refuse()
  }

  async #refuse(): Promise<never> {
    const error = new GlmError(
      'file_invalid',
      `${this.#path} does not have the SHA-256 that was published for it; what was kept is dropped, load the model again.`,
    )
    await this.#load.refuse(error)
    throw error
  }
}

async function streamingHash(): Promise<Hasher> {
  const hash = await createSHA256()
  hash.init()
  return { update: (bytes) => void hash.update(bytes), digest: () => hash.digest('hex') }
}

function wholeHash(): Hasher {
  const pieces: Blob[] = [] // not in JavaScript's memory
  return {
    update: (bytes) => void pieces.push(new Blob([bytes])),
    digest: async () => hex(await digest(new Uint8Array(await new Blob(pieces).arrayBuffer()))),
  }
}
