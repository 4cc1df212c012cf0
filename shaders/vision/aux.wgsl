// Biases of a matmul whose input is not normed.
@group(0) @binding(3) var<storage, read> aux: array<vec4f>;
