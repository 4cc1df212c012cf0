// The sum of a sandwich goes on to the next kernel.
@group(0) @binding(9) var<storage, read_write> next: array<vec4f>;
fn keep4(row: u32, quad: u32, value: vec4f) { next[row * GROUPS * 8u + quad] = value; }
