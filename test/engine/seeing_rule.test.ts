// What a model's files say of its pictures: which rule, which labels, how large.
import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { KeptSights, keyOf } from '../../src/engine/seeing_kept.ts'
import { readRule, ruleOf } from '../../src/engine/seeing_rule.ts'
import { GlmError } from '../../src/errors.ts'
import type { Buffers } from '../../src/gpu/buffers.ts'
import type { Shown } from '../../src/media/shown.ts'
import { planShown } from '../../src/media/shown_size.ts'
import { parseVision } from '../../src/model/vision_config.ts'
import type { Source } from '../../src/weights/source.ts'

const read = (path: string) => JSON.parse(readFileSync(new URL(`../fixtures/vision/${path}`, import.meta.url), 'utf8'))
const config = read('glm4v/config.json')
const tower = parseVision(config)
const processor = read('glm4v/preprocessor_config.json')

const still = (width: number, height: number): Shown => ({ frames: [{ format: 'RGBA', width, height, data: new Uint8Array() }] })
const clip = (width: number, height: number, steps: number): Shown => ({
  frames: Array.from({ length: 2 * steps }, () => still(width, height).frames[0]!),
  steps: Array.from({ length: steps }, (_, time) => ({ time, label: String(time) })),
})

describe('the rule of a model', () => {
  it('labels are those of the processor, whatever the model is', () => {
    expect(ruleOf(config, tower, processor, {}).labels).toBe('glm-4.1v')
    expect(ruleOf(config, tower, { ...processor, processor_class: 'Glm46VProcessor' }, {}).labels).toBe('glm-4.6v')
    expect(ruleOf(config, tower, {}, {}).labels).toBe('glm-4.1v')
    expect(ruleOf({ ...config, model_type: 'glm46v' }, tower, {}, {}).labels).toBe('glm-4.6v')
  })

  it('refuses a processor that does what ours does not', () => {
    expect(() => ruleOf(config, tower, { ...processor, image_mean: [0.5, 0.5, 0.5] }, {})).toThrow('image_mean')
    expect(() => ruleOf(config, tower, processor, { patch_size: 16 })).toThrow('patch_size')
  })

  it("keeps to the files' pixels, and to the budget of tokens", () => {
    const rule = ruleOf(config, { ...tower, side: 24 }, {}, {}).sizes
    expect(planShown(still(2000, 1500), rule).tokens).toBeLessThanOrEqual(640)
    expect(planShown(still(2000, 1500), rule).tokens).toBeGreaterThan(560)
    const plan = planShown(clip(1920, 1080, 5), rule)
    expect(plan.grid[0]).toBe(5)
    expect(plan.tokens / 5).toBeLessThanOrEqual(100)
    expect(plan.tokens / 5).toBeGreaterThan(80)
    expect(planShown(clip(1920, 1080, 5), rule, { step: 30 }).tokens / 5).toBeLessThanOrEqual(30)
    const small = ruleOf(config, tower, processor, {}).sizes
    const { width, height } = planShown(still(2000, 1500), small).resized
    expect(2 * width * height).toBeLessThanOrEqual(25_088)
    expect(() => planShown(still(10, 10), rule, { picture: 0.5 })).toThrow('budget.picture')
    expect(() => planShown({ frames: [] }, rule)).toThrow('no frames')
  })

  it("small pictures become as large as the files' least, and the budget never makes them smaller", () => {
    const own = { ...processor, size: { shortest_edge: 2 * 112 ** 2, longest_edge: 2 * 112 ** 2 } }
    const { sizes } = ruleOf(config, tower, own, { ...own, size: { shortest_edge: 4 * 112 ** 2, longest_edge: 8 * 112 ** 2 } })
    for (const side of [30, 64, 112, 500]) {
      expect(planShown(still(side, side), sizes).resized).toEqual({ width: 112, height: 112 })
      expect(planShown(still(side, side), sizes, { picture: 1 }).resized).toEqual({ width: 112, height: 112 })
    }
    expect(planShown(clip(30, 30, 2), sizes).resized).toEqual({ width: 112, height: 112 })
    expect(planShown(still(30, 30), ruleOf(config, tower, {}, {}).sizes).resized).toEqual({ width: 84, height: 84 })
  })

  it('a step of a small tower takes no more than its own table has, unless it is asked for', () => {
    const rule = ruleOf(config, tower, {}, {}).sizes
    expect([tower.side, rule.step]).toEqual([8, 16])
    expect(planShown(clip(640, 480, 2), rule).tokens / 2).toBeLessThanOrEqual(16)
    expect(planShown(clip(112, 112, 2), rule).resized).toEqual({ width: 112, height: 112 })
    expect(planShown(clip(640, 480, 2), rule, { step: 50 }).tokens / 2).toBeGreaterThan(30)
    expect(ruleOf(config, { ...tower, side: 24 }, {}, {}).sizes).not.toHaveProperty('step')
  })

  it('a GGUF has the bounds of its keys, and a file beside it counts more', async () => {
    const json = { ...config, image_processor: { size: { shortest_edge: 12544, longest_edge: 25_088 } } }
    const sizesOf = async (files: Record<string, unknown>) => {
      const bytes = new Map(Object.entries(files).map(([name, value]) => [name, new TextEncoder().encode(JSON.stringify(value))]))
      const missing = () => Promise.reject(new GlmError('file_missing', 'It is not there.'))
      const source: Source = {
        name: 'm',
        size: async (path) => bytes.get(path)?.length ?? missing(),
        read: async (path, start, end) => bytes.get(path)?.slice(start, end) ?? missing(),
      }
      return (await readRule(source, json, tower)).sizes.bounds.picture
    }
    await expect(sizesOf({})).resolves.toEqual([12544, 25_088])
    await expect(sizesOf({ 'preprocessor_config.json': { size: { shortest_edge: 1, longest_edge: 2 } } })).resolves.toEqual([1, 2])
  })

  it('GLM-Edge-V has one size', () => {
    const own = read('glm_edge_v/config.json')
    const rule = ruleOf(own, parseVision(own), read('glm_edge_v/preprocessor_config.json'), {})
    expect(rule.labels).toBeUndefined()
    expect(planShown(still(900, 30), rule.sizes, { picture: 5 }).grid).toEqual([1, 8, 8])
  })
})

describe('embeddings that are kept', () => {
  const make = () => {
    const freed: number[] = []
    const buffers = { free: ({ size }: GPUBuffer) => freed.push(size) } as unknown as Buffers
    return { kept: new KeptSights(buffers, 100), freed }
  }
  const rows = (size: number) => ({ size }) as GPUBuffer

  it('the longest unused go first, and none that is in use', () => {
    const { kept, freed } = make()
    const [one, two] = [kept.add(1, rows(41), [1, 2, 2]), kept.add(2, rows(42), [1, 2, 2])]
    const three = kept.add(3, rows(43), [1, 2, 2])
    expect(freed).toEqual([])
    kept.release(two)
    expect(freed).toEqual([42])
    kept.release(one)
    kept.release(three)
    expect(kept.use(2)).toBeUndefined()
    kept.release(kept.use(1)!)
    kept.add(4, rows(44), [1, 2, 2])
    expect(freed).toEqual([42, 43])
  })

  it('a key is one number for one content, and leaves room for steps', async () => {
    const key = await keyOf(['a', new Uint8Array([1, 2, 3])])
    expect(await keyOf(['a', new Uint8Array([1, 2, 3])])).toBe(key)
    const others = await Promise.all([keyOf(['b', new Uint8Array([1, 2, 3])]), keyOf(['a', new Uint8Array([1, 2, 4])]), keyOf(['a'])])
    expect(new Set([key, ...others]).size).toBe(4)
    for (const one of [key, ...others])
      expect(one >= 2 ** 32 && one + 2 ** 16 < Number.MAX_SAFE_INTEGER && Number.isInteger(one)).toBe(true)
  })
})
