// A picture as a decoder leaves it: what pictures, video frames and cameras become, and what the shaders read.

/** Eight bits each of red, green, blue and alpha, row by row; over white already, so alpha is 255. */
export interface RgbaPixels {
  format: 'RGBA'
  width: number
  height: number
  /** [height, width, 4] */
  data: Uint8Array<ArrayBuffer>
}

/** Luma at full size, chroma at half (rounded up) in both directions: three planes (I420), or two with U and V in turns (NV12). */
export interface YuvPixels {
  format: 'I420' | 'NV12'
  width: number
  height: number
  data: Uint8Array<ArrayBuffer>
  /** Byte of each plane's first sample, and bytes from row to row. */
  planes: { offset: number; stride: number }[]
  /** Coefficients of the conversion to RGB (ITU-R BT.601, BT.709, BT.2020). */
  matrix: 'bt601' | 'bt709' | 'bt2020'
  /** Whether luma is 0 to 255; else 16 to 235. */
  fullRange: boolean
}

export type Pixels = RgbaPixels | YuvPixels
