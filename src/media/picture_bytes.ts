// Reading a file by asking: a parser yields the stretch it wants and is given it, so one parser serves bytes at hand and files that are slow.
import { GlmError } from '../errors.ts'

/** A parser: it yields stretches of the file and is given their bytes. */
export type Asking<T> = Generator<{ at: number; length: number }, T, DataView>

/** A part of the file, up to but without `end`. */
export interface Chunk {
  at: number
  end: number
}

/** `length` bytes from `offset` within a chunk. */
export function* take(chunk: Chunk, offset: number, length: number): Asking<DataView> {
  const at = chunk.at + offset
  if (at + length > chunk.end)
    throw new GlmError('file_truncated', `The picture ends at byte ${chunk.end}, within its header; load it again.`)
  return yield { at, length }
}

/** As Latin-1. */
export function text(view: DataView, at = 0, length = view.byteLength - at): string {
  return String.fromCharCode(...new Uint8Array(view.buffer, view.byteOffset + at, length))
}

export const invalid = (sentence: string) => new GlmError('file_invalid', sentence)
