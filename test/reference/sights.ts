// The pictures and clips of test/fixtures/vision as the processors' pixel values, from bytes (vision/README.md). Needs no files: tests in a browser use it, too.

export type Grid = [steps: number, height: number, width: number]

/** An entry of levels.json. */
export interface Sight {
  grid: Grid // in patches
  normal: string
  offset: number // bytes of levels.bin
  frames: 1 | 2
  files: string[]
  times?: number[]
}

export interface Levels {
  normal: Record<string, { mean: number[]; std: number[] }>
  sights: Record<string, Sight>
  edge: Record<string, Sight>
}

const CHANNELS = 3
const PIXELS = 14 * 14

/** [patches, 3, frames, 14, 14] f32, bit for bit the processor's: two frames for all but GLM-Edge-V, which sees one. */
export function pixelValues(levels: Levels, bytes: Uint8Array, sight: Sight): Float32Array<ArrayBuffer> {
  const { mean, std } = levels.normal[sight.normal]!
  const scaled = (value: number) => Math.fround(Math.fround(value) * 255)
  const shown = sight.normal === 'half' ? 1 : 2
  const patches = sight.grid[0] * sight.grid[1] * sight.grid[2]
  const values = new Float32Array(patches * CHANNELS * shown * PIXELS)
  for (let i = 0; i < values.length; i++) {
    const plane = Math.floor(i / (shown * PIXELS)) // patch and channel
    const frame = Math.floor(i / PIXELS) % shown
    const byte = bytes[sight.offset + (plane * sight.frames + (frame % sight.frames)) * PIXELS + (i % PIXELS)]!
    const channel = plane % CHANNELS
    values[i] = Math.fround(byte - scaled(mean[channel]!)) / scaled(std[channel]!)
  }
  return values
}
