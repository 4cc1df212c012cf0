// The bar at the foot of the page: how far a load is, in words, bytes and percent; how fast, how long still; a way to stop, and to go on.
import type { Progress } from 'glm-webgpu'
import { inEveryLanguage, joined, say } from './language.ts'
import { announce } from './speech.ts'
import { bytes, number, part, percent } from './view.ts'
import type { Word } from './words.ts'

/** Pieces are downloaded while others go to the GPU: the phase in words changes only when none came for this long. */
const settle = 1500 // ms

export interface Meter {
  show(progress: Progress): void
  /** True when nothing had to be downloaded. */
  cached(): boolean
  /** Bytes of how many are here; nothing where nothing came. */
  here(): { loaded: number; total: number } | undefined
}

const strip = part('progress')
const bar = part<HTMLProgressElement>('bar')
const buttons = { cancel: part('cancel'), resume: part('resume'), chat: part('chat-with'), close: part('progress-close') }
let onResume: (() => void) | undefined
/** Says again what stands there. */
let rewrite: () => void = () => {}

export function startProgress(onStop: () => void): void {
  inEveryLanguage(() => rewrite())
  buttons.cancel.addEventListener('click', onStop)
  buttons.resume.addEventListener('click', () => onResume?.())
  buttons.close.addEventListener('click', hideProgress)
  buttons.chat.addEventListener('click', hideProgress)
  document.addEventListener('keydown', (event) => {
    if (event.key !== 'Escape' || event.isComposing) return
    if (strip.dataset.state === 'running') onStop()
    else hideProgress()
  })
}

export function hideProgress(): void {
  strip.hidden = true
  onResume = undefined
}

/** Stopped by the person: what became of it, and a button that goes on. */
export function showStopped(text: () => string, resume: () => void): void {
  display('stopped', () => say('progressStopped'), text, ['resume', 'close'])
  onResume = resume
}

export function showReady(title: string): void {
  display(
    'ready',
    () => say('progressReady', { title }),
    () => '',
    ['chat', 'close'],
  )
}

function display(state: string, phase: () => string, text: () => string, shown: (keyof typeof buttons)[]): void {
  const focused = strip.contains(document.activeElement)
  strip.hidden = false
  strip.dataset.state = state
  bar.hidden = state !== 'running'
  rewrite = () => {
    part('phase').textContent = phase()
    part('progress-text').textContent = text()
  }
  rewrite()
  for (const [name, button] of Object.entries(buttons)) button.hidden = !shown.includes(name as keyof typeof buttons)
  if (focused && shown[0]) buttons[shown[0]].focus()
  announce(joined(phase(), text()))
}

/** `expected` is what plan or catalog says, for the time before the files' own headers are read; `resumed`: it was stopped before. */
export function createMeter(expected = 0, resumed = false): Meter {
  let word: Word = 'start'
  let lastDownload = Number.NEGATIVE_INFINITY
  let downloaded = false
  let most = { loaded: 0, total: 0, cached: 0 }
  let quarter = 0

  bar.removeAttribute('value')
  let text = () => ''
  display(
    'running',
    () => say(word),
    () => text(),
    ['cancel'],
  )

  function name(next: Word): void {
    if (next === word) return
    word = next
    rewrite()
    announce(say(next))
  }

  function show(told: Progress): void {
    const now = performance.now()
    // What goes on reads what it kept first, and then waits for the network: that is how far the download is.
    const going = resumed && !downloaded && told.phase === 'upload' && told.cached < told.total
    const progress: Progress = going ? { ...told, phase: 'download', loaded: Math.max(told.loaded, told.cached) } : told
    const { phase, loaded, total, cached } = progress
    most = { ...most, cached: Math.max(most.cached, cached) }
    if (going) most = { ...most, loaded, total }
    else if (phase === 'download') {
      lastDownload = now
      downloaded = true
      most = { ...most, loaded: Math.max(most.loaded, loaded), total: Math.max(expected, total) }
    }
    if (phase === 'compile') name('compile')
    else if (phase === 'upload' && loaded >= total) name('prepare')
    else if (phase === 'download' || now - lastDownload < settle) name('download')
    else if (phase === 'upload') name(!downloaded && most.cached > 0 ? 'fromCache' : 'prepare')
    write(progress)
  }

  function write({ phase, loaded, total, cached, bytes_per_second }: Progress): void {
    const known = phase === 'download' ? Math.max(expected, total > loaded ? total : 0) : Math.max(total, 1)
    if (phase === 'upload' && word === 'download') return // bar and line go on telling what is downloaded
    const share = Math.min(1, loaded / (known || 1))
    if (phase === 'download' && share === 1) {
      lastDownload = Number.NEGATIVE_INFINITY // everything is here
      name('prepare')
    }
    if (known > 0) bar.value = share
    const done = Math.min(loaded, known)
    text = () => {
      const notes =
        known > 0 ? [say('progress', { loaded: bytes(done, 2), total: bytes(known, 2), percent: percent(share) })] : [bytes(loaded, 2)]
      if (phase === 'download') notes.push(...pace(known - done, bytes_per_second))
      if (cached > 0 && resumed) notes.push(say('progressResumes', { cached: bytes(cached, 2) }))
      else if (cached > 0) notes.push(say('progressCached', { cached: bytes(Math.min(cached, known || cached), 2) }))
      return notes.join(' · ')
    }
    rewrite()
    speak(phase, share)
  }

  /** Every quarter of a download, for who does not see the bar. */
  function speak(phase: Progress['phase'], share: number): void {
    const reached = Math.floor(share * 4)
    if (phase !== 'download' || reached <= quarter || reached === 4) return
    quarter = reached
    announce(`${say(word)}: ${percent(reached / 4)}`)
  }

  return {
    show,
    cached: () => !downloaded && most.cached > 0,
    here: () => (most.loaded > 0 ? { loaded: most.loaded, total: Math.max(most.total, most.loaded) } : undefined),
  }
}

function pace(left: number, speed = 0): string[] {
  if (speed <= 0) return []
  return [say('progressSpeed', { speed: bytes(speed) }), ...(left > 0 ? [say('progressLeft', { time: duration(left / speed) })] : [])]
}

function duration(seconds: number): string {
  if (seconds < 90) return say('seconds', { count: number(Math.ceil(seconds)) })
  if (seconds < 5400) return say('minutes', { count: number(Math.round(seconds / 60)) })
  return say('hours', { count: number(seconds / 3600, 1) })
}
