// 8-bit: scale = f16(max |x| / 127), code = round(x / scale). Scales of eight rows stand together, two to a word.
fn encode(row: u32, group: u32, values: array<f32, SCALE_GROUP>) {
  var own = values;
  var largest = 0.0;
  for (var index = 0u; index < trips(SCALE_GROUP); index++) { largest = max(largest, abs(own[index])); }
  let bits = half_bits(largest / 127.0);
  let scale = unpack2x16float(bits).x;
  // The last scale of a row may serve fewer groups.
  for (var word = 0u; word < trips(min(PARTS, row_groups() - group) * 8u); word++) {
    var packed = 0u;
    for (var byte = 0u; byte < 4u; byte++) {
      packed |= (u32(code_of(own[word * 4u + byte], scale)) & 0xffu) << (byte * 8u);
    }
    keep8(row, group + word / 8u, word % 8u, packed);
  }
  keep_half(aux[5], row, group / PARTS, bits);
}

fn code_of(value: f32, scale: f32) -> i32 {
  if (scale == 0.0) { return 0; }
  let scaled = value / scale;
  return clamp(i32(floor(abs(scaled) + 0.5)) * select(1, -1, scaled < 0.0), -127, 127);
}
