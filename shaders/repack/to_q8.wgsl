// Codes -128..127 as bytes.
fn keep_codes(from: u32, group: u32, to: u32, own: u32) {
  for (var word = 0u; word < trips(8u); word++) {
    var packed = 0u;
    for (var byte = 0u; byte < trips(4u); byte++) { packed |= (u32(code_at(from, group, own, word * 4u + byte)) & 0xffu) << (byte * 8u); }
    keep8(to, own, word, packed);
  }
}
