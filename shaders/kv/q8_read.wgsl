// Keys and values of one layer as 8-bit codes, four to a word in the order of the other formats, and behind all of them one f32 scale per 32.
// Needs KV_SCALES (in u32).
@group(0) @binding(6) var<storage, read> kv: array<u32>;

fn kv_read4(index: u32) -> vec4f { return vec4f(unpack4xI8(kv[index])) * bitcast<f32>(kv[KV_SCALES + index / 8u]); }
