// Colours of what is drawn: the page's own, read from its style so that dark pages stay dark, and a scale for errors and for mel.

export interface Colors {
  paper: string
  raised: string
  ink: string
  muted: string
  line: string
  accent: string
  warn: string
  font: string
  /** Lines where a cell has nothing. */
  hatch: CanvasPattern | string
  /** An error of a share of half a cell, 0 to 1, in 16 steps. */
  errors: string[]
}

let read: Colors | undefined

/** Read once; `forgetColors` when the page turns dark or light, or moves to a screen of other pixels. */
export function colors(): Colors {
  read ??= fresh()
  return read
}

export function forgetColors(): void {
  read = undefined
}

function fresh(): Colors {
  const style = getComputedStyle(document.documentElement)
  const named = (name: string) => style.getPropertyValue(`--${name}`).trim()
  const own = {
    paper: named('paper'),
    raised: named('raised'),
    ink: named('ink'),
    muted: named('muted'),
    line: named('line'),
    accent: named('accent'),
    warn: named('warn'),
  }
  const errors = Array.from({ length: 16 }, (_, k) => `color-mix(in oklab, ${own.warn} ${Math.round((k / 15) * 100)}%, ${own.accent})`)
  return { ...own, errors, font: `11px ${style.fontFamily}`, hatch: hatched(own.muted) }
}

function hatched(color: string): CanvasPattern | string {
  const size = 6 * devicePixelRatio
  const tile = new OffscreenCanvas(Math.round(size), Math.round(size))
  const pen = tile.getContext('2d')!
  pen.strokeStyle = color
  pen.lineWidth = devicePixelRatio
  pen.globalAlpha = 0.55
  pen.beginPath()
  for (const shift of [-tile.width, 0, tile.width]) {
    pen.moveTo(shift, tile.height)
    pen.lineTo(shift + tile.width, 0)
  }
  pen.stroke()
  const pattern = pen.createPattern(tile, 'repeat')
  pattern?.setTransform(new DOMMatrix().scale(1 / devicePixelRatio))
  return pattern ?? color
}

/** Dark blue over green to yellow, as [red, green, blue] of 0 to 255. */
const stops = [
  [13, 17, 40],
  [38, 60, 110],
  [32, 120, 128],
  [98, 180, 100],
  [250, 225, 90],
] as const

export function heat(share: number): [number, number, number] {
  const at = Math.min(0.9999, Math.max(0, share)) * (stops.length - 1)
  const [low, high] = [stops[Math.floor(at)]!, stops[Math.floor(at) + 1]!]
  const part = at % 1
  return [0, 1, 2].map((k) => low[k]! + (high[k]! - low[k]!) * part) as [number, number, number]
}
