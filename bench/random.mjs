// Random weights, fast: one block of random values, written again and again from different places in it. Speed does not depend on them.
import { writeSync } from 'node:fs'

/** xorshift32: 32 random bits a call. */
export function xorshift(seed) {
  let state = seed >>> 0 || 1
  return () => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return state >>> 0
  }
}

/** Values of a matrix's usual size (0.02 on average), where the size of an answer neither explodes nor dies over the layers. */
const spread = 0.02

/** 2 MiB values of bf16. */
export function bf16Block(seed = 1) {
  const random = xorshift(seed)
  const block = new Uint16Array(2 ** 21)
  const wide = new Float32Array(1)
  const bits = new Uint32Array(wide.buffer)
  for (let i = 0; i < block.length; i++) {
    wide[0] = (random() / 2 ** 32 - 0.5) * spread * Math.sqrt(12)
    block[i] = bits[0] >>> 16
  }
  return { bytes: new Uint8Array(block.buffer), unit: 2 }
}

/** 64 Ki blocks of Q4_0: an f16 scale, then 32 codes of four bits. */
export function q4Block(seed = 1) {
  const random = xorshift(seed)
  const bytes = new Uint8Array(2 ** 16 * 18)
  for (let i = 0; i < bytes.length; i++) bytes[i] = random() >>> 24
  const view = new DataView(bytes.buffer)
  // 0x1c00 is 2^-8, near the spread over a code's 4.6; random mantissa bits make it 1 to 1.5 times that.
  for (let i = 0; i < bytes.length; i += 18) view.setUint16(i, 0x1c00 + (random() >>> 23), true)
  return { bytes, unit: 18 }
}

/** Writes `size` bytes of the block at the file's end, from a random value of it on. */
export function writeRandom(file, { bytes, unit }, size, random) {
  let from = (random() % (bytes.length / unit)) * unit
  for (let left = size; left > 0; from = 0) {
    const part = bytes.subarray(from, from + left)
    writeAll(file, part)
    left -= part.length
  }
}

/** A write may end early. */
export function writeAll(file, bytes) {
  for (let done = 0; done < bytes.length; ) done += writeSync(file, bytes, done)
}
