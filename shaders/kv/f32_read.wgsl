// Keys and values of one layer, f32, read four at a time.
@group(0) @binding(6) var<storage, read> kv: array<vec4f>;

fn kv_read4(index: u32) -> vec4f { return kv[index]; }
