// The rows of one forward pass (`src/model/rows.ts` writes them). A row is one token of one sequence at one position; its turn is the line of
// the rope table that turns its query and key: the position itself, but in a prompt with pictures.
// [count, logits count, …6][ROWS_CAPACITY x (token, position, slot, turn)][LOGITS_CAPACITY x row index][SLOTS x (16 settings, pages)][SLOTS x RING sampled tokens]
// Needs ROWS_CAPACITY, LOGITS_CAPACITY, PAGES (pages of a slot at most).
const ROW_TABLE = 8u;
const LOGIT_TABLE = ROW_TABLE + ROWS_CAPACITY * 4u;
const SLOT_TABLE = LOGIT_TABLE + LOGITS_CAPACITY;
const SLOT_STRIDE = 16u + PAGES;

fn row_token(row: u32) -> u32 { return rows[ROW_TABLE + row * 4u]; }
fn row_position(row: u32) -> u32 { return rows[ROW_TABLE + row * 4u + 1u]; }
fn row_turn(row: u32) -> u32 { return rows[ROW_TABLE + row * 4u + 3u]; }
fn row_slot(row: u32) -> u32 { return SLOT_TABLE + rows[ROW_TABLE + row * 4u + 2u] * SLOT_STRIDE; }
fn page_of(row: u32, position: u32) -> u32 { return rows[row_slot(row) + 16u + position / 64u]; }
