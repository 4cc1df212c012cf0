// What a request asks of the logits before a token is drawn: y = bias, then penalties, then the mask, over x; a slot that asks nothing is copied.
// Also counts the row's own token, which the pass before chose: so several passes go without the host.
// repetition: over 0 divided, else multiplied, for tokens of prompt and answer; presence once and frequency per time, in the answer alone.
// Needs VOCABULARY; rows.wgsl. Per slot: counts (bit 31: stands in the prompt; the rest: times in the answer), bias, one mask bit per token.
@group(0) @binding(0) var<storage, read> bias: array<f32>;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;
@group(0) @binding(3) var<storage, read_write> counts: array<u32>;
@group(0) @binding(5) var<storage, read> rows: array<u32>;
@group(0) @binding(7) var<storage, read> allowed: array<u32>;

@compute @workgroup_size(256)
fn main(@builtin(global_invocation_id) id: vec3u) {
  let index = id.x;
  if (id.y >= rows[1] || index >= VOCABULARY) { return; }
  let row = rows[LOGIT_TABLE + id.y];
  let table = row_slot(row);
  let slot = rows[ROW_TABLE + row * 4u + 2u];
  let asks = rows[table + 7u];
  let own = slot * VOCABULARY + index;
  var value = x[id.y * VOCABULARY + index];
  if ((asks & 1u) != 0u) { value += bias[own]; }
  if ((asks & 2u) != 0u) {
    var count = counts[own];
    if (index == row_token(row) && rows[table + 5u] > 0u) {
      count++;
      counts[own] = count;
    }
    let repetition = bitcast<f32>(rows[table + 8u]);
    if (count != 0u) { value = select(value * repetition, value / repetition, value > 0.0); }
    let times = f32(count & 0x7fffffffu);
    value -= min(times, 1.0) * bitcast<f32>(rows[table + 9u]) + times * bitcast<f32>(rows[table + 10u]);
  }
  if ((asks & 4u) != 0u && ((allowed[slot * ((VOCABULARY + 31u) / 32u) + index / 32u] >> (index % 32u)) & 1u) == 0u) { value = -3.0e38; }
  y[id.y * VOCABULARY + index] = value;
}
