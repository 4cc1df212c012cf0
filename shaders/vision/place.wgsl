// Which patch of its picture a row is. Patches of MERGE x MERGE stand together, block after block of a row of blocks. The rows of a chunk:
// [count, 0, 0, first row of the chunk in its batch, patches of a step, columns of patches, rows of patches]. Needs MERGE.
fn place_of(row: u32) -> vec2u {
  let index = (rows[3] + row) % rows[4];
  let block = index / (MERGE * MERGE);
  let inside = index % (MERGE * MERGE);
  let across = rows[5] / MERGE;
  return vec2u(block / across * MERGE + inside / MERGE, block % across * MERGE + inside % MERGE);
}
