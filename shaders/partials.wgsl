// What a stretch of a sequence adds to a row's attention, as vectors: [row][stretch][head][HEAD_DIM / 4 of the sum, then (maximum, weight, 0, 0)].
// Needs HEADS, HEAD_DIM, PAGES.
const STRETCH = 1024u;
const STRETCHES = (PAGES * 64u + STRETCH - 1u) / STRETCH;

fn partial(row: u32, stretch: u32, head: u32) -> u32 { return ((row * STRETCHES + stretch) * HEADS + head) * (HEAD_DIM / 4u + 1u); }
