// A checkpoint as a vision tower reads it: tensors by our names, held against the shapes its config asks for, convolutions as matrices.
import { GlmError } from '../errors.ts'
import { plain } from '../kernels/matrix.ts'
import { type SourceType, sourceBytes } from '../kernels/quantise.ts'
import { type Windows, windows } from '../kernels/vision_windows.ts'
import type { Blocks, Checkpoint, TensorEntry } from '../weights/tensor.ts'
import type { Names } from './vision_names.ts'

export class VisionTensors {
  /** The checkpoint, with the tensors that were found as rows and columns. */
  readonly view: Checkpoint
  readonly #from: Checkpoint
  readonly #names: Names

  constructor(from: Checkpoint, names: Names) {
    this.#from = from
    this.#names = names
    this.view = { ...from, tensors: new Map(from.tensors) }
  }

  /** Whether files of this family have such a tensor. */
  names(name: string): boolean {
    return this.#names(name).length > 0
  }

  /** A matrix of `shape[0]` rows, whatever its columns are called in the file. */
  matrix(name: string, shape: readonly number[], columns = shape[1]!): string {
    return this.#keep(this.#held(name, shape), [shape[0]!, columns])
  }

  vector(name: string, shape: readonly number[]): string {
    return this.#keep(this.#held(name, shape), [shape.reduce((product, size) => product * size, 1)])
  }

  /** A convolution whose windows do not overlap: its columns are put in the order of its inputs at load. */
  convolution(name: string, shape: readonly number[], conv: Windows): string {
    const entry = this.#held(name, shape)
    const { view } = this
    const type = sourceType(entry)
    const blocks = blocksOf(type, conv)
    const other = view.convert
    view.convert = (which, to) => (which.blocks === blocks ? windows(type, conv, to) : other!(which, to))
    return this.#keep({ ...entry, blocks }, [shape[0]!, conv.taps * conv.stride])
  }

  #held(name: string, shape: readonly number[]): TensorEntry {
    const names = this.#names(name)
    const [first] = names
    const entry = names.map((own) => this.#from.tensors.get(own)).find((one) => one !== undefined)
    if (!entry) throw new GlmError('tensor_invalid', `The checkpoint has no tensor ${first}; download the model again.`)
    if (entry.cuts) throw new GlmError('tensor_invalid', `The tensor ${entry.name} stands in stretches; pack the model again.`)
    if (entry.shape.join() !== shape.join()) {
      throw new GlmError(
        'tensor_invalid',
        `The tensor ${entry.name} has shape [${entry.shape}] where its config asks for [${shape}]; download the model again.`,
      )
    }
    return entry
  }

  #keep(entry: TensorEntry, shape: number[]): string {
    this.view.tensors.set(entry.name, { ...entry, shape })
    return entry.name
  }
}

function sourceType({ dtype, name }: TensorEntry): SourceType {
  if (Object.hasOwn(sourceBytes, dtype)) return dtype as SourceType
  throw new GlmError('tensor_invalid', `The tensor ${name} is stored as ${dtype}, which is not supported; choose another file.`)
}

function blocksOf(type: SourceType, { inputs, taps }: Windows): Blocks {
  const width = inputs * taps * sourceBytes[type]
  return {
    name: 'windows',
    coding: plain(type === 'F32' ? 'f32' : 'f16'),
    files: [],
    ranges: ({ file, start }, { row, rows }) => [{ file, start: start + row * width, end: start + (row + rows) * width }],
  }
}
