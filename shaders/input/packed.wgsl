// A matmul's input as pack8.wgsl left it: per four rows and group of 32 one record of ten vectors, the codes of each row (two vectors a row),
// then four scales, then four sums of codes. `aux` is for biases.
@group(0) @binding(1) var<storage, read> x: array<vec4u>;
@group(0) @binding(3) var<storage, read> aux: array<vec4f>;
struct Packed { a0: vec4u, b0: vec4u, a1: vec4u, b1: vec4u, a2: vec4u, b2: vec4u, a3: vec4u, b3: vec4u, scales: vec4f, sums: vec4i }

fn packed4(record: u32) -> Packed {
  let at = record * 10u;
  return Packed(x[at], x[at + 1u], x[at + 2u], x[at + 3u], x[at + 4u], x[at + 5u], x[at + 6u], x[at + 7u],
    bitcast<vec4f>(x[at + 8u]), bitcast<vec4i>(x[at + 9u]));
}
