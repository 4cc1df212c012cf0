// Log-mel as a model wants it, in place: (max(y, largest - 8) + 4) / 4 where WHISPER, else (y - mean) / deviation. A row of workgroups per clip.
// The largest is the clip's, or what was heard before it if that is greater (rows[6], an f32). Needs MELS and WHISPER; rows as in src/kernels/mel.ts.
@group(0) @binding(1) var<storage, read> x: array<f32>; // [clips, 3]: largest, mean, 1 / deviation
@group(0) @binding(2) var<storage, read_write> y: array<f32>; // [clips, MELS, span]
@group(0) @binding(5) var<storage, read> rows: array<u32>;

@compute @workgroup_size(256)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) thread: u32,
) {
  let size = MELS * rows[3];
  let lowest = max(x[3u * group.y], bitcast<f32>(rows[6])) - 8.0;
  let mean = x[3u * group.y + 1u];
  let factor = x[3u * group.y + 2u];
  for (var at = group.x * 256u + thread; at < size; at += groups.x * 256u) {
    let value = y[group.y * size + at];
    y[group.y * size + at] = select((value - mean) * factor, (max(value, lowest) + 4.0) / 4.0, WHISPER == 1u);
  }
}
