// The sounds of test/fixtures/make_mel.py, sample for sample: multiples of 2^-23, so that both languages make the same ones.
import { readFileSync } from 'node:fs'

const RATE = 16000

const exact = (count: number, at: (i: number) => number) =>
  Float32Array.from({ length: count }, (_, i) => Math.floor(at(i) * 2 ** 23 + 0.5) / 2 ** 23)

const sine =
  (hz: number, rate = RATE) =>
  (i: number) =>
    Math.sin((2 * Math.PI * hz * i) / rate)

/** To be asked in order. */
function noise(seed: number): () => number {
  let state = seed
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return state / 2 ** 31 - 1
  }
}

export function voice(count: number): Float32Array<ArrayBuffer> {
  const hiss = noise(9)
  return exact(count, (i) => {
    const t = i / RATE
    const pitch = 2 * Math.PI * (120 * t + 20 * Math.sin(2 * Math.PI * 0.7 * t))
    let buzz = 0
    for (let k = 1; k <= 20; k++) buzz += Math.sin(k * pitch) / k
    return 0.3 * Math.sin(Math.PI * 3 * t) ** 2 * buzz + 1e-3 * hiss()
  })
}

const noisy = (count: number, size: number, seed: number) => {
  const next = noise(seed)
  return exact(count, () => size * next())
}

export const sounds: Record<string, () => Float32Array<ArrayBuffer>> = {
  tone: () => exact(16000, (i) => 0.5 * sine(440)(i)),
  silence: () => new Float32Array(16000),
  noise: () => noisy(16000, 0.3, 1),
  voice: () => voice(32000),
  'odd length': () => voice(17123),
  'shorter than a mirror': () => noisy(333, 0.3, 2),
  'quiet, then loud': () => {
    const next = noise(3)
    return exact(32000, (i) => (i < 16000 ? 1e-4 * next() : 0.9 * sine(700)(i - 16000)))
  },
  'quiet beside loud': () => exact(16000, (i) => 0.9 * sine(123.4)(i) + 1e-4 * sine(3000)(i)),
  'high beside nothing': () => exact(16000, (i) => 0.99 * sine(7013)(i)),
  offset: () => exact(16000, (i) => 0.9 + 0.1 * sine(437.3)(i)),
}

/** What torchaudio resampled. */
export const chord = (count: number, from: number, to: number) =>
  exact(count, (i) => [0.01, 0.13, 0.29, 0.4].reduce((sum, share) => sum + 0.2 * sine(share * Math.min(from, to), from)(i), 0))

export interface Answer {
  at: number
  mean: number
  max: number
  min: number
}

export interface Case {
  sound: string
  samples?: number
  mels: 80 | 128
  normalize: 'whisper' | 'meanvar' | 'none'
  pad?: number
  profile?: 'glm-asr'
  chunk?: number
  chunks?: number
  /** Frames in all, and those that are stored. */
  count: number
  frames: number[]
  answers: Record<string, Answer>
}

const folder = new URL('../fixtures/mel/', import.meta.url)

export const fixtures = JSON.parse(readFileSync(new URL('mel.json', folder), 'utf8')) as {
  apart: number
  cases: Case[]
  resampled: { from: number; to: number; count: number; length: number; at: number }[]
}

const bytes = readFileSync(new URL('mel.f32', folder))
export const stored = new Float32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength))
