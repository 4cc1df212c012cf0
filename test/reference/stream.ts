// The twin of shaders/stream.wgsl: one word per workgroup of 256 threads that read `loads` vec4<u32> each. Exact, as xor is.
export function streamed(words: Uint32Array, groups: number, loads: number): Uint32Array {
  const share = 256 * loads * 4
  return Uint32Array.from({ length: groups }, (_, group) =>
    words.subarray(group * share, (group + 1) * share).reduce((sum, word) => sum ^ word, 0),
  )
}
