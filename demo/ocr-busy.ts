// What a model is at before its first word: it looks, takes in what was seen and asked, then writes. Told in words, and as far as it is known as a bar.
import type { RequestOptions } from 'glm-webgpu'
import { say } from './language.ts'
import { announce } from './speech.ts'
import { number, part } from './view.ts'
import type { Word } from './words.ts'

export interface Busy {
  /** A new thing is done, of which nobody knows how far it is. */
  now(word: Word): void
  /** For a request: its progress is told here. */
  options(signal: AbortSignal): RequestOptions
  write(running: boolean): void
}

export function createBusy(page: 'ocr' | 'agent'): Busy {
  const bar = part<HTMLProgressElement>(`${page}-progress`)
  let word: Word = 'ocrLooking'
  let tokens = 0

  const write = (running: boolean) => {
    part(`${page}-busy`).hidden = !running
    part(`${page}-doing`).textContent = say(word, { tokens: number(tokens) })
  }
  const now = (next: Word) => {
    word = next
    bar.removeAttribute('value')
    write(true)
    announce(part(`${page}-doing`).textContent ?? '')
  }
  return {
    now,
    write,
    options: (signal) => ({
      signal,
      onSeeing: ({ loaded, total }) => {
        bar.value = loaded / total
      },
      onReading: ({ loaded, total }) => {
        tokens = total
        if (word !== 'ocrPrefill') now('ocrPrefill')
        bar.value = loaded / total
      },
    }),
  }
}
