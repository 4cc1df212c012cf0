// Codes -128..127 as bytes; they count from the minimum where there are minima.
fn keep_codes(source_row: u32, group: u32, to: u32, own: u32) {
  let shift = code_shift(source_row, group * 32u);
  for (var word = 0u; word < trips(8u); word++) {
    var packed = 0u;
    for (var byte = 0u; byte < trips(4u); byte++) { packed |= (u32(code_at(source_row, group, own, word * 4u + byte) + shift) & 0xffu) << (byte * 8u); }
    keep8(to, own, word, packed);
  }
}
