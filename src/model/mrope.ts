// Three positions for every token (M-RoPE): text counts all three up together, a picture spreads its tokens over rows and columns.
// A video is one picture after the other, each followed by the text of its time: the axis of time stands still within a step.

/** [steps, height, width] in patches, as the processors have it; a video is given step by step, [1, height, width] each. */
export type Grid = readonly [number, number, number]

/** So many tokens of text, or the tokens of a grid. */
export type Run = { tokens: number } | { grid: Grid }

export interface Positions {
  /** [3, tokens]: time, row, column. */
  ids: Int32Array<ArrayBuffer>
  /** Tokens in all. */
  tokens: number
  /** What all three are for the token that comes next: `tokens + delta`. */
  next: number
  /** What is added to the index of a token behind the prompt. */
  delta: number
}

/** Positions of a prompt. `merge`: patches along a side that become one token. */
export function positionsOf(runs: readonly Run[], merge: number): Positions {
  const tokens = runs.reduce((sum, run) => sum + tokensOf(run, merge), 0)
  const ids = new Int32Array(3 * tokens)
  const axes = [0, 1, 2].map((axis) => ids.subarray(axis * tokens, (axis + 1) * tokens))
  let at = 0
  let current = 0
  for (const run of runs) {
    if ('grid' in run) {
      const [t, h, w] = merged(run.grid, merge)
      place(axes, at, current, t, h, w)
      current += Math.max(h, w)
    } else {
      for (const axis of axes) for (let i = 0; i < run.tokens; i++) axis[at + i] = current + i
      current += run.tokens
    }
    at += tokensOf(run, merge)
  }
  // A grid of more steps than rows and columns would reach further than what follows starts; the classes count from the furthest.
  const next = ids.reduce((most, position) => Math.max(most, position), -1) + 1
  return { ids, tokens, next, delta: next - tokens }
}

/** Tokens of a run. */
export function tokensOf(run: Run, merge: number): number {
  if (!('grid' in run)) return run.tokens
  const [t, h, w] = merged(run.grid, merge)
  return t * h * w
}

function merged([t, h, w]: Grid, merge: number): Grid {
  return [t, Math.floor(h / merge), Math.floor(w / merge)]
}

/** The tokens of a grid, row by row, from position `current` on. */
function place(axes: readonly Int32Array[], at: number, current: number, t: number, h: number, w: number): void {
  for (let i = 0; i < t * h * w; i++) {
    axes[0]![at + i] = current + Math.floor(i / (h * w))
    axes[1]![at + i] = current + (Math.floor(i / w) % h)
    axes[2]![at + i] = current + (i % w)
  }
}
