// 4-bit: codes -8..7 times a scale that is searched: 43 candidates put the value of largest magnitude between 5.5 and 8.5 steps (either sign);
// each candidate's codes are refitted by least squares, scale = sum(x l) / sum(l l), and the one with the least squared error stays.
fn encode(row: u32, group: u32, values: array<f32, SCALE_GROUP>) {
  var own = values;
  let bits = half_bits(search_scale(values));
  let scale = unpack2x16float(bits).x;
  // The last scale of a row may serve fewer groups.
  for (var word = 0u; word < trips(min(PARTS, row_groups() - group) * 4u); word++) {
    var packed = 0u;
    for (var byte = 0u; byte < 4u; byte++) {
      packed |= u32(code_of(own[word * 8u + byte], scale) + 8) << (byte * 8u);
      packed |= u32(code_of(own[word * 8u + byte + 4u], scale) + 8) << (byte * 8u + 4u);
    }
    keep4(row, group + word / 4u, word % 4u, packed);
  }
  keep_half(aux[5], row, group / PARTS, bits);
}

fn search_scale(values: array<f32, SCALE_GROUP>) -> f32 {
  var own = values;
  var largest = 0.0;
  for (var index = 0u; index < trips(SCALE_GROUP); index++) { largest = select(largest, own[index], abs(own[index]) > abs(largest)); }
  if (largest == 0.0) { return 0.0; }
  var best = -1.0;
  var best_scale = 0.0;
  // Step 0: largest at -8; 1..25: at -8.5 .. -5.5; 26..42: at 5.5 .. 7.5.
  for (var step = 0u; step < trips(43u); step++) {
    let turn = f32(step) - 1.0;
    let target_code = select(select(5.5 + 0.125 * (turn - 25.0), -8.5 + 0.125 * turn, turn < 25.0), -8.0, step == 0u);
    let scale = largest / target_code;
    var cross = 0.0;
    var square = 0.0;
    for (var index = 0u; index < trips(SCALE_GROUP); index++) {
      let code = f32(code_of(own[index], scale));
      cross += own[index] * code;
      square += code * code;
    }
    // A margin above rounding: of equally good candidates the first stays, -8 being the first tried.
    if (square > 0.0 && cross * cross > best * square * (1.0 + 1.0e-6)) {
      best = cross * cross / square;
      best_scale = cross / square;
    }
  }
  return best_scale;
}

fn code_of(value: f32, scale: f32) -> i32 {
  if (scale == 0.0) { return 0; }
  let scaled = value / scale;
  return clamp(i32(floor(abs(scaled) + 0.5)) * select(1, -1, scaled < 0.0), -8, 7);
}
