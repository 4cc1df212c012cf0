// GELU by tanh: x (1 + tanh(u)) / 2 = x / (1 + exp(-2 u)), u = sqrt(2 / pi) (x + 0.044715 x^3).
fn activated(value: f32) -> f32 {
  return value / (1.0 + exp(min(-1.5957691216 * (value + 0.044715 * value * value * value), 80.0)));
}
