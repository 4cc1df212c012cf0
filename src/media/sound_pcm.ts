// Sound that is not coded at all: samples of a file as f32, by a table of how each kind is read.
import { GlmError } from '../errors.ts'

interface Kind {
  /** Bytes of a sample. */
  size: number
  read(view: DataView, at: number): number
}

const kinds: Record<string, Kind> = {
  'pcm-u8': { size: 1, read: (view, at) => (view.getUint8(at) - 128) / 128 },
  'pcm-s8': { size: 1, read: (view, at) => view.getInt8(at) / 128 },
  'pcm-s16': { size: 2, read: (view, at) => view.getInt16(at, true) / 32768 },
  'pcm-s16be': { size: 2, read: (view, at) => view.getInt16(at) / 32768 },
  'pcm-s24': { size: 3, read: (view, at) => (view.getInt8(at + 2) * 65536 + view.getUint16(at, true)) / 8388608 },
  'pcm-s24be': { size: 3, read: (view, at) => (view.getInt8(at) * 65536 + view.getUint16(at + 1)) / 8388608 },
  'pcm-s32': { size: 4, read: (view, at) => view.getInt32(at, true) / 2147483648 },
  'pcm-s32be': { size: 4, read: (view, at) => view.getInt32(at) / 2147483648 },
  'pcm-f32': { size: 4, read: (view, at) => view.getFloat32(at, true) },
  'pcm-f32be': { size: 4, read: (view, at) => view.getFloat32(at) },
  'pcm-f64': { size: 8, read: (view, at) => view.getFloat64(at, true) },
  'pcm-f64be': { size: 8, read: (view, at) => view.getFloat64(at) },
  ulaw: { size: 1, read: (view, at) => muLaw(view.getUint8(at)) },
  alaw: { size: 1, read: (view, at) => aLaw(view.getUint8(at)) },
}

export function isPcm(codec: string): boolean {
  return Object.hasOwn(kinds, codec)
}

/** One array for each channel; a last part of a frame is dropped. */
export function pcm(codec: string, data: Uint8Array, channels: number): Float32Array[] {
  const kind = kinds[codec]
  if (!kind || !(channels >= 1)) throw new GlmError('file_invalid', `The sound is of an unknown kind (${codec}).`)
  const { size, read } = kind
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength)
  const frames = Math.floor(data.length / (size * channels))
  return Array.from({ length: channels }, (_, channel) => {
    const out = new Float32Array(frames)
    for (let i = 0; i < frames; i++) out[i] = read(view, (i * channels + channel) * size)
    return out
  })
}

/** ITU-T G.711: eight logarithmic segments of 16 steps, stored inverted. */
function muLaw(stored: number): number {
  const value = ~stored & 0xff
  const size = (((value & 15) << 3) + 132) << ((value >> 4) & 7)
  return (value & 0x80 ? 132 - size : size - 132) / 32768
}

function aLaw(stored: number): number {
  const value = stored ^ 0x55
  const segment = (value >> 4) & 7
  const step = ((value & 15) << 4) + 8
  const size = segment === 0 ? step : (step + 256) << (segment - 1)
  return (value & 0x80 ? size : -size) / 32768
}
