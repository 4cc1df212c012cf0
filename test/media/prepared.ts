// The cases of test/fixtures/prepared: pictures made as make_prepared.py makes them, and the bytes that the real processors made of them.
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { gunzipSync } from 'node:zlib'
import { type PictureProfileName, pictureProfiles } from '../../src/media/picture_profiles.ts'
import type { RgbaPixels } from '../../src/media/pixels.ts'
import type { Size } from '../../src/media/resize.ts'
import { normalised } from '../reference/patchify.ts'

export interface PreparedCase {
  name: string
  profile: PictureProfileName
  kind: 'noise' | 'edges' | 'gradient'
  width: number
  height: number
  count: number
  grid: [number, number, number]
  bytes: number
  maxPixels?: number
  size?: Size
  video?: boolean
  /** Bytes in the order of the values; a still's second frame is there, too. */
  levels: Uint8Array
}

const folder = fileURLToPath(new URL('../fixtures/prepared/', import.meta.url))

export const read = (name: string) => JSON.parse(readFileSync(folder + name, 'utf8'))

export function preparedCases(): PreparedCase[] {
  const levels = gunzipSync(readFileSync(`${folder}levels.bin.gz`))
  let at = 0
  return (read('prepared.json') as PreparedCase[]).map((one) => {
    const own = Uint8Array.from(levels.subarray(at, at + one.bytes))
    at += one.bytes
    return { ...one, levels: one.video || one.profile !== 'glm-4.1v' ? own : twice(own, 14 * 14) }
  })
}

/** A still stands for both frames of its step. */
function twice(bytes: Uint8Array, each: number): Uint8Array {
  return Uint8Array.from({ length: 2 * bytes.length }, (_, i) => bytes[Math.floor(i / (2 * each)) * each + (i % each)]!)
}

export function framesOf({ kind, width, height, count }: PreparedCase): RgbaPixels[] {
  return Array.from({ length: count }, (_, i) => picture(kind, width, height, 1 + i))
}

/** What the processors' values are, in f64. */
export function valuesOf({ profile, levels, count }: PreparedCase): Float64Array {
  const { mean, std, layout, temporal, patch } = pictureProfiles[profile]
  return normalised(levels, layout === 'planes' ? levels.length / 3 / count : temporal * patch ** 2, mean, std)
}

function picture(kind: PreparedCase['kind'], width: number, height: number, seed: number): RgbaPixels {
  const data = new Uint8Array(width * height * 4).fill(255)
  let state = seed
  for (let i = 0; i < width * height * 3; i++) {
    const c = i % 3
    const x = Math.floor(i / 3) % width
    const y = Math.floor(i / 3 / width)
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    const values = {
      noise: state >>> 24,
      edges: ((Math.floor((x + seed + 2 * c) / 5) + Math.floor((y + c) / 3)) % 2) * 255,
      gradient: Math.floor((x * 7 + y * 3 + c * 40 + seed * 11) / 4) % 256,
    }
    data[Math.floor(i / 3) * 4 + c] = values[kind]
  }
  return { format: 'RGBA', width, height, data }
}

/** Largest and mean difference. */
export function difference(values: ArrayLike<number>, wanted: ArrayLike<number>): { max: number; mean: number } {
  if (values.length !== wanted.length) throw new Error(`${values.length} values against ${wanted.length}.`)
  let max = 0
  let sum = 0
  for (let i = 0; i < wanted.length; i++) {
    const own = Math.abs(values[i]! - wanted[i]!)
    max = own <= max ? max : own
    sum += own
  }
  return { max, mean: sum / wanted.length }
}
