// Attention of up to four queries at once: what a thread keeps of them, as plain values, because CPU compilers keep arrays in memory.
const FOURS = 1u;
alias Scores = vec4f;
alias Totals = mat4x4f;

fn scored(sums: Scores, quad: u32, k: vec4f) -> Scores { return sums + against(0u, quad, k); }
fn keep_scores(sums: Scores, at: u32) { scores[at] = sums; }
fn rescaled(totals: Totals) -> Totals { return scaled(totals, rescales[0]); }
fn added(totals: Totals, v: vec4f, at: u32) -> Totals { return totals + outer(v, scores[at]); }
fn total_of(totals: Totals, query: u32) -> vec4f { return totals[query]; }
