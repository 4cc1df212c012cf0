// Keys and values of one layer, f16 packed in u32 (needs no feature): [page][key, value][kv head][64 positions][HEAD_DIM], written as pairs.
@group(0) @binding(6) var<storage, read_write> kv: array<u32>;

fn kv_write2(index: u32, pair: vec2f) { kv[index] = pack2x16float(pair); }
