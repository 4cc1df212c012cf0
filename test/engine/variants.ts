// Every kernel variant the tuner may choose, and those that serve before it has: the oracle's logits through the whole model, on any adapter.
import { Engine } from '../../src/engine/engine.ts'
import { pageSize } from '../../src/kernels/rows.ts'
import { soloShape } from '../../src/kernels/solo.ts'
import { type Choice, candidates, choiceId, type PrefillChoice } from '../../src/model/choices.ts'
import type { Source } from '../../src/weights/source.ts'

export interface Variant {
  id: string
  decode: Choice
  /** Norms behind a layer's kernels wait for the next kernel. */
  fused: boolean
  prefill: PrefillChoice
}

const serving: Choice[] = [
  { kernel: 'matmul', threads: 64, lanes: 1, stripes: 1 },
  { kernel: 'dot8', threads: 64, lanes: 1, stripes: 2 },
  { kernel: 'solo', ...soloShape },
  ...candidates({ name: '', format: 'q4', group: 32, centred: false, rows: 4096, columns: 4096, groups: 128, parts: [] }, true, true),
]
const plain = serving[0]!

/** Title by variant: scripts/test.mjs looks for these titles, and fails where one passed nowhere. */
export const variants: Variant[] = [
  ...serving.map((decode) => ({ id: choiceId(decode), decode, fused: true, prefill: 'matmul' as const })),
  { id: 'norms apart', decode: plain, fused: false, prefill: 'matmul' as const },
  { id: 'gemm', decode: plain, fused: true, prefill: 'gemm' },
  { id: 'gemm8', decode: plain, fused: true, prefill: 'gemm8' },
  { id: 'gemm8 wide', decode: plain, fused: true, prefill: 'gemm8 wide' },
]

/** One of each kind of variant: what runs where compiling takes seconds. */
export const kinds = variants.filter(({ id }) =>
  /^(matmul:64:1:1|matmul:64:8:2|matmul:128:16:1:subgroups|dot8:64:1:2|dot8:64:8:1|solo|norms apart|gemm|gemm8$)/.test(id),
)

export interface Golden {
  vocab: number
  prompts: { ids: number[]; positions: number[]; offset: number }[]
}

/** Loads a checkpoint so that every matrix is multiplied by this variant. */
export const loadVariant = (gpu: GPU, source: Source, { decode, fused, prefill }: Variant): Promise<Engine> =>
  Engine.load({
    gpu,
    source,
    weights: source.name.includes('q8') ? 'q8' : 'q4',
    kv: 'f32',
    context: 512,
    chats: false,
    choose: { decode: () => decode, fused, prefill: () => prefill },
  })

/** Rounded activations are held to 3e-2, what is exact to 2e-4. */
export const boundOf = ({ decode, prefill }: Variant): number => (decode.kernel === 'dot8' || prefill.startsWith('gemm8') ? 3e-2 : 2e-4)

/** Logits of a prompt, [tokens, vocabulary], as `score` makes them: by the kernels of prompts. */
export async function prefilled(engine: Engine, ids: readonly number[]): Promise<Float32Array> {
  const all = new Float32Array(ids.length * engine.info.vocabulary)
  await engine.score(ids, (logits, start) => all.set(logits, start * engine.info.vocabulary))
  return all
}

/** The same by the kernels that decode, so many rows at a time; `far`: by attention in stretches. */
export async function decoded(engine: Engine, ids: readonly number[], rows: readonly number[], far = false): Promise<Float32Array> {
  const { runner, pages, info } = engine
  const held: Parameters<typeof pages.grow>[0] = []
  pages.grow(held, Math.ceil(ids.length / pageSize) * pageSize)
  const all = new Float32Array(ids.length * info.vocabulary)
  for (let start = 0, step = 0; start < ids.length; step++) {
    const chunk = ids.slice(start, start + rows[step % rows.length]!)
    const own = held.map(({ id }) => id)
    all.set(await runner.logits(chunk, start, own, runner.decodeRows, far), start * info.vocabulary)
    start += chunk.length
  }
  pages.close(held)
  return all
}

/** The worst relative L2 error over the stored positions of a prompt. */
export function worst(own: Float32Array, { vocab }: Golden, { positions, offset }: Golden['prompts'][number], logits: ArrayBuffer): number {
  const wanted = new Float32Array(logits, offset, positions.length * vocab)
  const errors = positions.map((position, row) => {
    let [difference, norm] = [0, 0]
    for (let index = 0; index < vocab; index++) {
      difference += (own[position * vocab + index]! - wanted[row * vocab + index]!) ** 2
      norm += wanted[row * vocab + index]! ** 2
    }
    return Math.sqrt(difference / norm)
  })
  return Math.max(...errors)
}
