// Codes -8..7 as 4 bits: byte b of a word holds code b (low nibble) and code b + 4 (high nibble).
fn keep_codes(source_row: u32, group: u32, to: u32, own: u32) {
  for (var word = 0u; word < trips(4u); word++) {
    var packed = 0u;
    for (var byte = 0u; byte < trips(4u); byte++) {
      packed |= u32(code_at(source_row, group, own, word * 8u + byte) + 8) << (byte * 8u);
      packed |= u32(code_at(source_row, group, own, word * 8u + byte + 4u) + 8) << (byte * 8u + 4u);
    }
    keep4(to, own, word, packed);
  }
}
