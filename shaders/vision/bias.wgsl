// Two neighbouring biases. Needs BIAS (offset in aux, in f32, a multiple of 4).
fn bias2(n: u32) -> vec2f {
  let four = aux[(BIAS + n) / 4u];
  return select(four.xy, four.zw, n % 4u == 2u);
}
