// The constants of shaders/rows.wgsl: sizes and offsets of the one buffer that tells a forward pass what its rows are.

export const pageSize = 64
/** Words of settings before a slot's page list. */
export const slotHeader = 16

export interface RowsShape {
  rows: number
  logits: number
  slots: number
  /** Pages a slot can list. */
  pages: number
  /** Sampled tokens kept per slot until the host has read them. */
  ring: number
}

/** Offsets in u32. */
export function rowsLayout(shape: RowsShape) {
  const table = 8
  const logits = table + shape.rows * 4
  const slots = logits + shape.logits
  const stride = slotHeader + shape.pages
  const ring = slots + shape.slots * stride
  return { table, logits, slots, stride, ring, words: ring + shape.slots * shape.ring }
}

export const rowsConstants = (shape: RowsShape) => ({
  ROWS_CAPACITY: shape.rows,
  LOGITS_CAPACITY: shape.logits,
  PAGES: shape.pages,
})
