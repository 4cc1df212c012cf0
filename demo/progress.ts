// How far a load is: a phase in words, bytes and percent, what came from the cache, and how long it may still take.
import type { Progress } from 'glm-webgpu'
import { say } from './language.ts'
import { announce } from './speech.ts'
import { bytes, number, part, percent } from './view.ts'
import type { Word } from './words.ts'

/** Pieces are downloaded while others go to the GPU: the phase in words changes only when none came for this long. */
const settle = 1500 // ms

export interface Meter {
  show(progress: Progress): void
  /** True when nothing had to be downloaded. */
  cached(): boolean
}

/** `expected` is what the catalog says, for the time before the files' own headers are read. */
export function createMeter(expected = 0): Meter {
  const bar = part<HTMLProgressElement>('bar')
  let word: Word | undefined
  let first: { at: number; loaded: number } | undefined
  let lastDownload = Number.NEGATIVE_INFINITY
  let downloaded = false
  let fromCache = 0

  bar.removeAttribute('value')
  part('progress-text').textContent = ''
  name('start')

  function name(next: Word): void {
    if (next === word) return
    word = next
    part('phase').textContent = say(next)
    announce(say(next))
  }

  function show(progress: Progress): void {
    const now = performance.now()
    fromCache = Math.max(fromCache, progress.cached)
    if (progress.phase === 'download') {
      lastDownload = now
      downloaded = true
      first ??= { at: now, loaded: progress.loaded }
    }
    if (progress.phase === 'compile') name('compile')
    else if (progress.phase === 'upload' && progress.loaded >= progress.total) name('prepare')
    else if (progress.phase === 'download' || now - lastDownload < settle) name('download')
    else if (progress.phase === 'upload') name(!downloaded && fromCache > 0 ? 'fromCache' : 'prepare')
    write(progress, now)
  }

  function write({ phase, loaded, total, cached }: Progress, now: number): void {
    const known = phase === 'download' ? Math.max(expected, total > loaded ? total : 0) : Math.max(total, 1)
    if (phase === 'upload' && word === 'download') return // bar and line go on telling what is downloaded
    const share = Math.min(1, loaded / (known || 1))
    if (phase === 'download' && share === 1) {
      lastDownload = Number.NEGATIVE_INFINITY // everything is here
      name('prepare')
    }
    if (known > 0) bar.value = share
    const amount =
      known > 0 ? say('progress', { loaded: bytes(Math.min(loaded, known)), total: bytes(known), percent: percent(share) }) : bytes(loaded)
    const notes = [amount]
    if (cached > 0) notes.push(say('progressCached', { cached: bytes(Math.min(cached, known || cached)) }))
    if (phase === 'download') notes.push(...pace(loaded, known, now))
    part('progress-text').textContent = notes.join(' · ')
  }

  function pace(loaded: number, known: number, now: number): string[] {
    const seconds = (now - (first?.at ?? now)) / 1000
    if (seconds < 2) return []
    const speed = (loaded - first!.loaded) / seconds
    const left = known > loaded && speed > 0 ? [say('progressLeft', { seconds: number(Math.ceil((known - loaded) / speed)) })] : []
    return [say('progressSpeed', { speed: bytes(speed) }), ...left]
  }

  return { show, cached: () => !downloaded && fromCache > 0 }
}
