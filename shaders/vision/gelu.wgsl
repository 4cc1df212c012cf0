// GELU: x (1 + erf(x / sqrt 2)) / 2, erf by Abramowitz and Stegun 7.1.26 (off by at most 1.5e-7).
fn activated(value: f32) -> f32 {
  let z = abs(value) * 0.70710678;
  let t = 1.0 / (1.0 + 0.3275911 * z);
  let tail = t * (0.254829592 + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429)))) * exp(-z * z);
  return 0.5 * value * select(tail, 2.0 - tail, value >= 0.0);
}
