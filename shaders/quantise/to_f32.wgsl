// Kept as f32: eight vec4 of a row, eight rows interleaved.
fn encode(row: u32, group: u32, values: array<f32, 32>) {
  let block = block_of(row, group);
  for (var index = 0u; index < trips(32u); index++) {
    atomicStore(&y[((block * 8u + index / 4u) * 8u + row % 8u) * 4u + index % 4u], bitcast<u32>(values[index]));
  }
}
