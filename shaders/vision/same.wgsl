// No activation.
fn activated(value: f32) -> f32 { return value; }
