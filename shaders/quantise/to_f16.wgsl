// Rounded to f16: eight vec4 of a row, eight rows interleaved. A value beyond f16 becomes infinity, which is reported.
fn encode(row: u32, group: u32, values: array<f32, 32>) {
  let block = block_of(row, group);
  for (var index = 0u; index < trips(32u); index += 2u) {
    let low = half_bits(values[index]);
    let high = half_bits(values[index + 1u]);
    if ((low & 0x7c00u) == 0x7c00u || (high & 0x7c00u) == 0x7c00u) { flag(); }
    atomicStore(&y[((block * 8u + index / 4u) * 8u + row % 8u) * 2u + (index % 4u) / 2u], low | (high << 16u));
  }
}
