// Keys and values of one layer, f16 packed in u32, read four at a time.
@group(0) @binding(6) var<storage, read> kv: array<vec2u>;

fn kv_read4(index: u32) -> vec4f {
  let packed = kv[index];
  return vec4f(unpack2x16float(packed.x), unpack2x16float(packed.y));
}
