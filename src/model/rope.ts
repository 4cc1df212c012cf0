// The rotary table, computed in f64 on the host: sin and cos in a shader lose three digits.
import type { Config } from './config.ts'

/** Rotations per position: [rotary / 2], with YaRN where the config has it. */
export function frequencies(config: Config): Float64Array {
  const half = config.rotary / 2
  const result = new Float64Array(half)
  for (let index = 0; index < half; index++) result[index] = config.theta ** ((-2 * index) / config.rotary)
  const { yarn } = config
  if (!yarn) return result
  const [low, high] = yarnRange(config)
  for (let index = 0; index < half; index++) {
    const ramp = Math.min(1, Math.max(0, (index - low) / (high === low ? 0.001 : high - low)))
    result[index] = result[index]! * (1 - ramp) + (result[index]! / yarn.factor) * ramp
  }
  return result
}

/** Between these indices YaRN blends from the trained frequencies to the stretched ones. */
function yarnRange(config: Config): [number, number] {
  const { betaFast, betaSlow, original, truncate } = config.yarn!
  const dim = config.rotary
  const at = (rotations: number) => (dim * Math.log(original / (rotations * 2 * Math.PI))) / (2 * Math.log(config.theta))
  const [low, high] = truncate ? [Math.floor(at(betaFast)), Math.ceil(at(betaSlow))] : [at(betaFast), at(betaSlow)]
  return [Math.max(low, 0), Math.min(high, dim - 1)]
}

/** cos and sin of every line: [lines, rotary / 2, 2]; `at`: where a frequency of a line stands, which is the line itself but for M-RoPE. */
export function ropeTable(
  config: Config,
  lines: number,
  at: (line: number, index: number) => number = (line) => line,
): Float32Array<ArrayBuffer> {
  const rates = frequencies(config)
  const scale = config.yarn?.attentionFactor ?? 1
  const table = new Float32Array(lines * rates.length * 2)
  for (let line = 0; line < lines; line++) {
    for (let index = 0; index < rates.length; index++) {
      const angle = at(line, index) * rates[index]!
      const place = (line * rates.length + index) * 2
      table[place] = Math.cos(angle) * scale
      table[place + 1] = Math.sin(angle) * scale
    }
  }
  return table
}
