// One frame of a log-mel spectrogram per workgroup of 32: y[mel, frame] = log10(max(sum over bins of filter * |DFT(hann * samples)|^2, 1e-10)).
// Frame t of a clip is centred on its sample 160 t and reaches 200 to either side; beyond its ends the clip is mirrored, beyond what was given it is 0.
// The 400 points go as 16 x 25 without factors between (n = 25 n1 + 16 n2, Good and Thomas); columns n2 and 25 - n2 are added and subtracted first.
// Logarithms show bins 100 dB below the loudest, which f32 would fill with roundings. So every factor is a coarse part on a grid and a rest: products of
// coarse parts add up without rounding in any order (24 bits hold sound within 1), and what holds a rest is a thousand times smaller.
// Needs MELS and where aux has its tables: HANN, ROOTS16, ROOTS25, FILTERS (src/media/mel_bank.ts); rows as in src/kernels/mel.ts.
@group(0) @binding(1) var<storage, read> x: array<f32>; // [clips * length] samples at 16 kHz
@group(0) @binding(2) var<storage, read_write> y: array<f32>; // [clips, MELS, span]
@group(0) @binding(3) var<storage, read> aux: array<u32>;
@group(0) @binding(5) var<storage, read> rows: array<u32>;
@group(0) @binding(8) var<storage, read_write> status: array<f32>; // [clips * span, 3]: largest, mean, squares about the mean

var<workgroup> columns: array<vec2f, 400>; // [25, 16] of coarse, rest: 0 as it is, sums 1..12, differences 1..12
var<workgroup> roots16: array<vec4f, 16>; // coarse, rest
var<workgroup> roots25: array<vec4f, 25>;
var<workgroup> lines: array<vec4f, 225>; // [9, 25] of coarse, rest: DFT of 16 of each column; the other seven are conjugates
var<workgroup> power: array<f32, 201>;
var<workgroup> logs: array<f32, MELS>;

fn aux2(at: u32) -> vec2f { return vec2f(bitcast<f32>(aux[at]), bitcast<f32>(aux[at + 1u])); }
fn aux4(at: u32) -> vec4f { return vec4f(aux2(at), aux2(at + 2u)); }

/** The sample under point n of a frame. */
fn sample(clip: u32, frame: u32, n: u32) -> f32 {
  let length = i32(rows[4]);
  var at = abs(i32(160u * frame + n) - 200);
  if (at >= length) { at = 2 * (length - 1) - at; }
  let index = clip * rows[4] + u32(at);
  if (index >= rows[5]) { return 0.0; }
  return x[index];
}

/** It windowed: twelve bits of both make a product of 24, of which nine bits are coarse. */
fn point(clip: u32, frame: u32, n: u32) -> vec2f {
  let value = sample(clip, frame, n);
  let most = bitcast<f32>(bitcast<u32>(value) & 0xfffff000u);
  let weight = aux2(HANN + 2u * n);
  let product = most * weight.x;
  let coarse = round(product * 512.0) / 512.0;
  return vec2f(coarse, (product - coarse) + (most * weight.y + (value - most) * (weight.x + weight.y)));
}

fn fold(clip: u32, frame: u32, at: u32) {
  let n1 = at % 16u;
  let n2 = at / 16u;
  let value = point(clip, frame, (25u * n1 + 16u * n2) % 400u);
  if (n2 == 0u) { columns[n1] = value; return; }
  let other = point(clip, frame, (25u * n1 + 16u * (25u - n2)) % 400u);
  columns[n2 * 16u + n1] = value + other;
  columns[(12u + n2) * 16u + n1] = value - other;
}

fn line(at: u32) -> vec4f {
  let k1 = at / 25u;
  let column = at % 25u;
  var sum = vec2f();
  var rest = vec2f();
  for (var n1 = 0u; n1 < trips(16u); n1++) {
    let value = columns[column * 16u + n1];
    let root = roots16[(n1 * k1) % 16u];
    sum += value.x * root.xy;
    rest += value.x * root.zw + value.y * (root.xy + root.zw);
  }
  let coarse = round(sum * 64.0) / 64.0;
  return vec4f(coarse, (sum - coarse) + rest);
}

/** |X[k]|^2. Line 16 - k1 is the conjugate of line k1. */
fn power_of(k: u32) -> f32 {
  let conjugate = k % 16u > 8u;
  let own = select(k % 16u, 16u - k % 16u, conjugate) * 25u;
  let sign = vec4f(1.0, select(1.0, -1.0, conjugate), 1.0, select(1.0, -1.0, conjugate));
  var sum = lines[own].xy * sign.xy;
  var rest = lines[own].zw * sign.xy;
  for (var n = 1u; n < trips(13u); n++) {
    let root = roots25[(n * k) % 25u];
    let both = lines[own + n] * sign;
    let apart = (lines[own + 12u + n] * sign).yxwz * vec4f(-1.0, 1.0, -1.0, 1.0);
    sum += both.xy * root.x + apart.xy * root.y;
    rest += both.xy * root.z + apart.xy * root.w + both.zw * (root.x + root.z) + apart.zw * (root.y + root.w);
  }
  let value = sum + rest;
  return dot(value, value);
}

fn mel(m: u32) -> f32 {
  let first = aux[FILTERS + 3u * m];
  let count = aux[FILTERS + 3u * m + 1u];
  let weights = aux[FILTERS + 3u * m + 2u];
  var sum = 0.0;
  for (var bin = 0u; bin < count; bin++) { sum += bitcast<f32>(aux[weights + bin]) * power[first + bin]; }
  return log(max(sum, 1e-10)) * 0.4342944819;
}

@compute @workgroup_size(32)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) thread: u32) {
  let index = rows[1] + group.x;
  let clip = index / rows[3];
  let frame = index % rows[3];
  for (var at = thread; at < trips(16u); at += 32u) { roots16[at] = aux4(ROOTS16 + 4u * at); }
  for (var at = thread; at < trips(25u); at += 32u) { roots25[at] = aux4(ROOTS25 + 4u * at); }
  for (var at = thread; at < trips(208u); at += 32u) { fold(clip, frame, at); }
  workgroupBarrier();
  for (var at = thread; at < trips(225u); at += 32u) { lines[at] = line(at); }
  workgroupBarrier();
  for (var at = thread; at < trips(201u); at += 32u) { power[at] = power_of(at); }
  workgroupBarrier();
  for (var m = thread; m < trips(MELS); m += 32u) {
    let value = mel(m);
    logs[m] = value;
    y[(clip * MELS + m) * rows[3] + frame] = value;
  }
  workgroupBarrier();
  if (thread > 0u) { return; }
  // A barrier costs a CPU adapter more than these few sums cost one thread.
  var sum = 0.0;
  var peak = logs[0];
  for (var m = 0u; m < trips(MELS); m++) {
    sum += logs[m];
    peak = max(peak, logs[m]);
  }
  let mean = sum / f32(MELS);
  var squares = 0.0;
  for (var m = 0u; m < trips(MELS); m++) { squares += (logs[m] - mean) * (logs[m] - mean); }
  status[3u * index] = peak;
  status[3u * index + 1u] = mean;
  status[3u * index + 2u] = squares;
}
