// Attention of five to eight queries at once: what a thread keeps of them.
const FOURS = 2u;
struct Scores { a: vec4f, b: vec4f }
struct Totals { a: mat4x4f, b: mat4x4f }

fn scored(sums: Scores, quad: u32, k: vec4f) -> Scores { return Scores(sums.a + against(0u, quad, k), sums.b + against(1u, quad, k)); }
fn keep_scores(sums: Scores, at: u32) {
  scores[at] = sums.a;
  scores[at + 1u] = sums.b;
}
fn rescaled(totals: Totals) -> Totals { return Totals(scaled(totals.a, rescales[0]), scaled(totals.b, rescales[1])); }
fn added(totals: Totals, v: vec4f, at: u32) -> Totals {
  return Totals(totals.a + outer(v, scores[at]), totals.b + outer(v, scores[at + 1u]));
}
fn total_of(totals: Totals, query: u32) -> vec4f {
  if (query < 4u) { return totals.a[query]; }
  return totals.b[query - 4u];
}
