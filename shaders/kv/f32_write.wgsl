// Keys and values of one layer, f32: [page][key, value][kv head][64 positions][HEAD_DIM], written as pairs.
@group(0) @binding(6) var<storage, read_write> kv: array<vec2f>;

fn kv_write2(index: u32, pair: vec2f) { kv[index] = pair; }
