// Where a command writes: answers to stdout, everything else to stderr. Knows how to leave without losing a byte.
import type { Writable } from 'node:stream'
import type { Progress } from '../api/types.ts'

export interface Terminal {
  /** Answers: text as it comes, or lines. */
  print(text: string): void
  /** A line for the person who waits. */
  log(sentence: string): void
  /** Where a load stands: one line that repaints itself, on a terminal only. */
  progress(progress: Pick<Progress, 'phase' | 'loaded' | 'total'>): void
  /** Resolves when all of it has left the process. */
  flush(): Promise<void>
}

type Stream = Writable & { isTTY?: boolean }

export function createTerminal(stdout: Stream, stderr: Stream): Terminal {
  let painted = false
  const clear = () => {
    if (painted) stderr.write('\r\x1b[K')
    painted = false
  }
  return {
    print(text) {
      clear()
      stdout.write(text)
    },
    log(sentence) {
      clear()
      stderr.write(`${sentence}\n`)
    },
    progress({ phase, loaded, total }) {
      if (!stderr.isTTY) return
      clear()
      painted = phase !== 'ready'
      if (painted) stderr.write(phase === 'compile' ? 'Compiling' : `Loading ${size(loaded)} of ${size(total)}`)
    },
    async flush() {
      clear()
      await Promise.all([stdout, stderr].map((stream) => new Promise<void>((resolve) => stream.write('', () => resolve()))))
    },
  }
}

/** Bytes as a person reads them. */
export function size(bytes: number): string {
  const units = ['bytes', 'KiB', 'MiB', 'GiB', 'TiB']
  const power = bytes < 1024 ? 0 : Math.min(units.length - 1, Math.floor(Math.log2(bytes) / 10))
  return `${Number((bytes / 1024 ** power).toFixed(1))} ${units[power]}`
}
