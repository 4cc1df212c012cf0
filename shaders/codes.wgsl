// Where codes, scales and centres of a row stand in y. Needs SCALE_GROUP (values of one scale).
fn keep4(row: u32, group: u32, word: u32, packed: u32) {
  atomicStore(&y[(block_of(row, group) * 8u + row % 8u) * 4u + word], packed);
}

fn keep8(row: u32, group: u32, word: u32, packed: u32) {
  atomicStore(&y[((block_of(row, group) * 2u + word / 4u) * 8u + row % 8u) * 4u + word % 4u], packed);
}

// f16 of eight rows stand together, two to a word. Buffers are zero at first, and each half is written once.
fn keep_half(at: u32, row: u32, index: u32, bits: u32) {
  let wide = (row_groups() * 32u + SCALE_GROUP - 1u) / SCALE_GROUP;
  atomicOr(&y[at + ((row / 8u) * wide + index) * 4u + (row % 8u) / 2u], bits << (16u * (row % 2u)));
}
