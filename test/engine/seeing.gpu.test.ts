// Prompts that show something, with the embeddings of the real classes' own towers: logits and greedy tokens are the classes', whoever decodes
// beside, and the cache of pages tells pictures apart.
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import { Engine, type EngineOptions } from '../../src/engine/engine.ts'
import { dawn } from '../../src/gpu/dawn.ts'
import { pageSize } from '../../src/kernels/rows.ts'
import type { Grid, Positions } from '../../src/model/mrope.ts'
import { expandPlaceholders } from '../../src/model/placeholders.ts'
import type { SamplingSettings } from '../../src/model/rows.ts'
import { type Encoded, Seen, seenOf } from '../../src/model/seen.ts'
import { folderSource } from '../../src/weights/folder.ts'
import { forwardSeeing } from '../reference/seeing.ts'
import { loadVision } from '../reference/vision.ts'
import { relativeL2 } from '../reference.ts'
import { heldTensors } from './read-matrix.ts'

const fixtures = fileURLToPath(new URL('../fixtures/vision', import.meta.url))

interface Case {
  name: string
  sights: string[]
  labels?: string[]
  promptIds: number[]
  ids: number[]
  positions?: number[][]
  delta?: number
  logits: { positions: number[]; offset: number }
  greedy: number[]
}

interface Golden {
  vocab: number
  hidden: number
  tokens: { image: number; video?: number; begin?: number; end?: number }
  sights: Record<string, { tokens: number; rows: number }>
  cases: Case[]
}

const read = (path: string) => JSON.parse(readFileSync(`${fixtures}/${path}`, 'utf8'))
const levels: { sights: Record<string, { grid: Grid; times?: number[] }>; edge: Record<string, { grid: Grid }> } = read('levels.json')

let gpu: GPU
beforeAll(async () => {
  gpu = await dawn()
})

// The same kernels for all: an adapter that is slow at them takes one.
const models = inject('adapter') === 'lavapipe' ? ['glm4v', 'glm46v', 'glm_ocr', 'glm_edge_v'] : ['glm46v']
describe.each(models)('%s', (name) => {
  const golden: Golden = read(`${name}.json`)
  const { vocab, hidden, tokens } = golden
  const edge = name === 'glm_edge_v'
  const values = new Uint8Array(readFileSync(`${fixtures}/${name}.f32`)).buffer
  const names = Object.keys(golden.sights)
  const caseOf = (wanted: string) => golden.cases.find((one) => one.name === wanted)!
  const one = caseOf(edge ? 'first' : 'one')
  const text = caseOf('text')
  let engine: Engine

  beforeAll(async () => {
    engine = await load()
  })
  afterAll(() => engine?.close())

  const load = (options: Partial<EngineOptions> = {}) =>
    Engine.load({ gpu, source: folderSource(`${fixtures}/${name}`), weights: 'f32', context: 512, clock: () => 0, ...options })

  /** What the class's tower made of a sight, as rows 3.. of a buffer that is full of something else. */
  function encoded(sight: string, key = 2 ** 32 + 2 ** 12 * names.indexOf(sight)): Encoded {
    const { tokens, rows: offset } = golden.sights[sight]!
    const row = 3
    const data = new Float32Array((row + tokens + 2) * hidden).fill(77)
    data.set(new Float32Array(values, offset, tokens * hidden), row * hidden)
    const rows = engine.buffers.make(sight, data.byteLength)
    engine.gpu.device.queue.writeBuffer(rows, 0, data)
    return { rows, key, grid: (edge ? levels.edge : levels.sights)[sight]!.grid, row }
  }

  /** A case's prompt, expanded, with what it shows; `change`: another key for a sight. */
  function shown({ promptIds, sights, labels = [], ids, positions, delta }: Case, change: Record<string, number> = {}): Seen {
    const isClip = (sight: string) => !edge && levels.sights[sight]!.times !== undefined
    const all = new Map(sights.map((sight) => [sight, encoded(sight, change[sight])]))
    const [pictures, clips] = [sights.filter((sight) => !isClip(sight)), sights.filter(isClip)]
    const rest = [...labels]
    const videos = clips.map((sight) => {
      const [steps] = all.get(sight)!.grid
      return { tokens: golden.sights[sight]!.tokens / steps, labels: rest.splice(0, steps) }
    })
    const placeholders = { ...tokens, run: edge }
    const counts = pictures.map((sight) => golden.sights[sight]!.tokens)
    const expanded = expandPlaceholders(promptIds, placeholders, counts, videos, (label) => engine.files.tokenizer!.encode(label))
    expect(expanded.ids).toEqual(ids)
    const seen = seenOf(expanded.segments, {
      pictures: pictures.map((sight) => all.get(sight)!),
      videos: clips.map((sight) => all.get(sight)!),
      ...(edge ? {} : { merge: 2 }),
    })
    expect(seen.delta).toBe(edge ? 0 : delta)
    expect(seen.positions && [...seen.positions.ids]).toEqual(positions?.flat())
    return seen
  }

  /** Greedy tokens with log-probabilities, which tell bits apart that tokens do not. */
  async function generate(prompt: readonly number[], seen: Seen | undefined, count = 24) {
    const sampling: SamplingSettings = { temperature: 0, topK: 0, topP: 1, seed: [0, 0], logprobs: 3 }
    const told: [token: number, ...top: number[]][] = []
    const { counts } = engine.runner
    const before = counts.prefilled
    const { cached } = await engine.scheduler.run({
      prompt,
      seen,
      sampling,
      maxTokens: count,
      onToken: (token, logprobs) => told.push([token, ...logprobs!.top.map(({ logprob }) => logprob)]) < count,
    })
    return { tokens: told.map(([token]) => token), told, cached, ran: counts.prefilled - before }
  }

  /** Logits at the stored positions of a case. */
  async function logitsOf({ ids, logits }: Case, seen: Seen): Promise<Float32Array[]> {
    const { runner, pages: pool } = engine
    const pages: Parameters<typeof pool.grow>[0] = []
    pool.grow(pages, ids.length)
    const all = new Float32Array(ids.length * vocab)
    const chunk = runner.prefillRows.shape.logits
    for (let at = 0; at < ids.length; at += chunk) {
      const held = pages.map(({ id }) => id)
      all.set(await runner.logits(ids.slice(at, at + chunk), at, held, runner.prefillRows, false, seen), at * vocab)
    }
    pool.close(pages)
    return logits.positions.map((position) => all.subarray(position * vocab, (position + 1) * vocab))
  }

  it.each(golden.cases.map((one) => [one.name, one] as const))(
    "%s: positions, logits and 24 greedy tokens are the class's",
    async (_, own) => {
      const seen = shown(own)
      for (const [row, logits] of (await logitsOf(own, seen)).entries()) {
        const wanted = new Float32Array(values, own.logits.offset + row * vocab * 4, vocab)
        expect(relativeL2(logits, wanted), `position ${own.logits.positions[row]}`).toBeLessThan(1e-5)
      }
      expect((await generate(own.ids, own === text ? undefined : seen)).tokens).toEqual(own.greedy)
    },
  )

  // The same decoder, of other sizes: compiling it again for three rows takes half a minute.
  it.runIf(name === 'glm4v')('two with pictures and one without decode together, with the bits each has alone', async () => {
    const all = [one, text, caseOf('both')].map((own) => [own.ids, own === text ? undefined : shown(own)] as const)
    const alone = []
    for (const [ids, seen] of all) alone.push((await generate(ids, seen)).told)
    const before = engine.runner.counts.dispatches
    const together = await Promise.all(all.map(([ids, seen]) => generate(ids, seen)))
    expect(together.map(({ told }) => told)).toEqual(alone)
    const passes = (engine.runner.counts.dispatches - before) / (5 * engine.info.layers + 3)
    expect(passes).toBeLessThan(2 * 24) // not one after the other
  })

  it('the cache has the same picture again, and never another one', async () => {
    const first = one.ids.indexOf(tokens.image)
    const sight = one.sights[0]!
    const miss = await generate(one.ids, shown(one, { [sight]: 2 ** 40 }))
    expect(miss.cached).toBeLessThanOrEqual(first)
    expect(miss.ran).toBe(one.ids.length - miss.cached)
    const hit = await generate(one.ids, shown(one, { [sight]: 2 ** 40 }))
    expect([hit.cached, hit.ran]).toEqual([one.ids.length - 1, 1])
    const other = await generate(one.ids, shown(one, { [sight]: 2 ** 40 + 1 }))
    expect([other.cached, other.ran]).toEqual([first, one.ids.length - first])
    expect([hit.tokens, other.tokens, other.told]).toEqual([one.greedy, one.greedy, miss.told])
  })

  it('a conversation goes on behind its picture: from the cache as from the start', async () => {
    const sight = one.sights[0]!
    const [old, fresh] = [2 ** 41, 2 ** 41 + 1].map((key) => shown(one, { [sight]: key }))
    const answer = await generate(one.ids, old)
    const prompt = [...one.ids, ...answer.tokens, ...text.ids]
    const longer = ({ sights, positions }: Seen) => new Seen(sights, positions && grown(positions, prompt.length))
    const going = await generate(prompt, longer(old!))
    expect(going.cached).toBe(one.ids.length + answer.tokens.length - 1)
    const anew = await generate(prompt, longer(fresh!))
    expect(anew.cached).toBe(one.ids.indexOf(tokens.image))
    expect(going.tokens).toEqual(anew.tokens)
    const apart = going.told.flat().map((value, index) => Math.abs(value - anew.told.flat()[index]!))
    expect(Math.max(...apart)).toBeLessThan(1e-4)
  })

  it('a token costs the dispatches that it costs without pictures, in the prompt and behind it', async () => {
    const { counts } = engine.runner
    const cost = async (prompt: readonly number[], seen: Seen | undefined, count: number) => {
      const before = counts.dispatches
      await engine.scheduler.run({
        prompt,
        seen,
        sampling: { temperature: 0, topK: 0, topP: 1, seed: [0, 0] },
        maxTokens: count,
        onToken: () => true,
      })
      return counts.dispatches - before
    }
    const keyed = (key: number) => shown(one, { [one.sights[0]!]: key })
    const [shortest, longest] = [await cost(one.ids, keyed(2 ** 42), 1), await cost(one.ids, keyed(2 ** 42 + 1), 9)]
    expect((longest - shortest) / 8).toBe(5 * engine.info.layers + 3)
    const words = one.ids.map((id, at) => (at < one.ids.indexOf(tokens.image) ? id : (id * 7 + at) % 200))
    expect(await cost(words, undefined, 1)).toBe(shortest)
  })

  it('a prompt that finds no room waits, and sees its picture then', async () => {
    const held: Parameters<Engine['pages']['grow']>[0] = []
    const long = [...text.ids, ...Array.from({ length: 60 }, (_, at) => at)] // two pages with its answer
    engine.pages.grow(held, (engine.pages.count - 2) * pageSize)
    const answers = await Promise.all([generate(long, undefined, 30), generate(one.ids, shown(one, { [one.sights[0]!]: 2 ** 43 }))])
    engine.pages.close(held)
    expect(answers[1]!.tokens).toEqual(one.greedy)
    expect(answers[0]!.tokens).toHaveLength(30)
  })

  it.runIf(name === 'glm46v')('in f16 and q8: the logits of the twin over the weights as they stand on the GPU', async () => {
    const own = caseOf(edge ? 'last' : 'both')
    const rows = own.sights.flatMap((sight) => {
      const { tokens, rows: offset } = golden.sights[sight]!
      return [...new Float32Array(values, offset, tokens * hidden)]
    })
    const positions = own.positions ?? [0, 1, 2].map(() => own.ids.map((_, at) => at))
    const reference = loadVision(`${fixtures}/${name}`)
    const whole = engine
    for (const weights of ['f16', 'q8'] as const) {
      engine = await load({ weights, chats: false })
      const tensors = await heldTensors(engine)
      const tensor = (own: string) => tensors.get(own.replace('model.language_model.', 'model.')) ?? reference.tensor(own)
      const all = forwardSeeing({ ...reference, tensor }, { ids: own.ids, placeholder: tokens.image, rows, positions })
      for (const [row, logits] of (await logitsOf(own, shown(own))).entries()) {
        const position = own.logits.positions[row]!
        expect(relativeL2(logits, all.subarray(position * vocab, (position + 1) * vocab)), `${weights} ${position}`).toBeLessThan(3e-3)
      }
      await engine.close()
    }
    engine = whole
  })
})

/** The positions of a prompt that goes on with text. */
function grown({ ids, tokens, next, delta }: Positions, length: number): Positions {
  const all = new Int32Array(3 * length)
  for (let axis = 0; axis < 3; axis++) {
    all.set(ids.subarray(axis * tokens, (axis + 1) * tokens), axis * length)
    for (let at = tokens; at < length; at++) all[axis * length + at] = at + delta
  }
  return { ids: all, tokens: length, next: next + length - tokens, delta }
}
