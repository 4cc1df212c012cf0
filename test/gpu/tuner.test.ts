// The tuner on a GPU made of numbers: a clock that only work moves, so that every choice and every millisecond can be told beforehand.
import { beforeEach, describe, expect, it } from 'vitest'
import { allowed, type Trait, type TuneOptions, tune, type Variant } from '../../src/gpu/tuner.ts'
import { info, shelf, task } from './shelf.ts'

let now = 0
/** Milliseconds of every submit so far, with the variants in it. */
let submits: { took: number; ids: Set<string>; repeats: number; began: number }[] = []
let prepared: string[] = []
let lose: (reason: GPUDeviceLostReason) => void = () => {}
/** What a submit costs beside its work, and what disturbs it. */
let fixed = 0.4
let disturb = (_submit: number, took: number) => took
let device: GPUDevice

beforeEach(() => {
  now = 0
  submits = []
  prepared = []
  fixed = 0.4
  disturb = (_, took) => took
  device = makeDevice()
})

/** A device whose pipelines are `{ id, cost }`: a dispatch takes `cost` ms. */
function makeDevice(): GPUDevice {
  const fake = {
    lost: new Promise((resolve) => {
      lose = (reason) => resolve({ reason, message: '' })
    }),
    createCommandEncoder() {
      const work: { id: string; cost: number }[] = []
      let pipeline = { id: '', cost: 0 }
      const pass = {
        setPipeline: (one: typeof pipeline) => {
          pipeline = one
        },
        setBindGroup() {},
        dispatchWorkgroups: () => work.push(pipeline),
        end() {},
      }
      return { beginComputePass: () => pass, finish: () => work }
    },
    queue: {
      submit([work]: [{ id: string; cost: number }[]]) {
        const cost = work.reduce((sum, one) => sum + one.cost, fixed)
        const took = disturb(submits.length, cost)
        submits.push({ took, ids: new Set(work.map(({ id }) => id)), repeats: work.length, began: now })
        now += took
      },
      onSubmittedWorkDone: async () => {},
    },
  }
  return fake as unknown as GPUDevice
}

interface Made {
  right?: boolean
  breaks?: boolean
  traits?: Trait[]
  compiling?: number
}

function variant(id: string, cost: number, { right = true, breaks = false, traits, compiling = 5 }: Made = {}): Variant {
  const pipeline = { id, cost } as unknown as GPUComputePipeline
  return {
    id,
    traits,
    async prepare() {
      prepared.push(id)
      now += compiling
      if (breaks) throw new Error('The driver refused')
      return {
        dispatches: () => [{ name: id, pipeline, bindGroup: {} as GPUBindGroup, groups: [1, 1, 1] }],
        probe: async () => right,
      }
    },
  }
}

const options = (more: Partial<TuneOptions> = {}): TuneOptions => ({
  device,
  info,
  store: shelf().store,
  key: 'this GPU',
  clock: () => now,
  budget: Infinity,
  ...more,
})

describe('the choice', () => {
  it('is the fastest, wherever it stands and whatever a submit costs beside it', async () => {
    for (const cost of [0.004, 0.3, 7, 24, 45]) {
      for (const place of [0, 1, 2]) {
        const others = [variant('slow', cost * 1.1), variant('slower', cost * 2)]
        others.splice(place, 0, variant('fast', cost * 0.9))
        fixed = 3
        expect(await tune([task('now', [variant('now', cost), ...others])], options()), `${cost} at ${place}`).toEqual({ shape: 'fast' })
      }
    }
  })

  it('stays the current one for a gain of 3 % or less', async () => {
    const { store, puts } = shelf()
    const variants = [variant('now', 1), variant('near', 0.971), variant('same', 1)]
    expect(await tune([task('now', variants)], options({ store }))).toEqual({})
    expect(puts.at(-1)!.tasks.shape!.times.near).toBeCloseTo(0.971, 6)
    expect(await tune([task('now', [variant('now', 1), variant('clear', 0.969)])], options())).toEqual({ shape: 'clear' })
  })

  it('is told from noise: what disturbs some samples changes nothing, what disturbs all of them wins nothing', async () => {
    const variants = [variant('now', 1), variant('fast', 0.9)]
    disturb = (submit, took) => took + (submit % 5 === 0 ? 12 : 0)
    expect(await tune([task('now', variants)], options())).toEqual({ shape: 'fast' })
    const { store, puts } = shelf()
    disturb = (submit, took) => took + ((submit * 7919) % 13)
    expect(await tune([task('now', [variant('now', 1), variant('same', 0.999)])], options({ store }))).toEqual({})
    expect(puts.at(-1)!.tasks.shape).toEqual({ best: 'now', times: { now: 1, same: 1 } })
  })

  it('is never a variant that computes wrong or does not compile', async () => {
    const { store, puts } = shelf()
    const variants = [variant('now', 1), variant('wrong', 0.1, { right: false }), variant('broken', 0.1, { breaks: true })]
    expect(await tune([task('now', variants)], options({ store }))).toEqual({})
    expect(puts.at(-1)!.tasks.shape!.times).toEqual({ wrong: Infinity, broken: Infinity, now: 1 })
    expect(submits.filter(({ ids }) => !ids.has('now'))).toEqual([])
  })

  it('leaves a current variant that computes wrong for a slower one that does not', async () => {
    const variants = [
      variant('now', 1, { right: false }),
      variant('also wrong', 0.5, { right: false }),
      variant('right', 3),
      variant('better', 2),
    ]
    const { store, puts } = shelf()
    expect(await tune([task('now', variants)], options({ store }))).toEqual({ shape: 'better' })
    expect(puts.at(-1)!.tasks.shape!.times).toMatchObject({ now: Infinity, 'also wrong': Infinity, right: 1 })
  })

  it('is fixed on a CPU adapter: nothing is prepared, read or written', async () => {
    const { store, puts } = shelf({ key: 'this GPU', tasks: { shape: { best: 'fast', times: {} } } })
    const software = { ...info, software: true }
    expect(await tune([task('now', [variant('now', 1), variant('fast', 0.5)])], options({ info: software, store }))).toEqual({})
    expect([prepared, submits, puts]).toEqual([[], [], []])
  })
})

describe('vendors', () => {
  it('dot8 is never tried on Apple, and is on others', async () => {
    const apple = { ...info, vendor: 'apple', architecture: 'metal-3' }
    const variants = [variant('now', 1), variant('dot', 0.5, { traits: ['dot8'] }), variant('sub', 0.8, { traits: ['subgroups'] })]
    expect(await tune([task('now', variants)], options({ info: apple }))).toEqual({ shape: 'sub' })
    expect(prepared).toEqual(['now', 'sub'])
    expect(await tune([task('now', variants)], options())).toEqual({ shape: 'dot' })
    expect([allowed(apple), allowed(apple, ['dot8']), allowed(apple, ['subgroups']), allowed(info, ['dot8'])]).toEqual([
      true,
      false,
      true,
      true,
    ])
  })
})

describe('samples', () => {
  it('take at least 20 ms when they count, and hold the GPU for no more than 100 ms', async () => {
    for (const cost of [0.002, 0.05, 1.7, 13, 24.9, 49]) {
      submits = []
      fixed = 0.2
      await tune([task('now', [variant('now', cost), variant('other', cost * 0.99)])], options())
      expect(Math.max(...submits.map(({ took }) => took)), `${cost}`).toBeLessThanOrEqual(100)
      const growing = submits.findIndex(({ took }) => took >= 20)
      const counted = submits.slice(-4)
      expect([growing >= 0, counted.every(({ took }) => took >= 20)]).toEqual([true, true])
      expect([counted[1]!.repeats, counted[3]!.repeats]).toEqual([2 * counted[0]!.repeats, 2 * counted[2]!.repeats])
    }
  })

  it('of the two variants take turns', async () => {
    await tune([task('now', [variant('now', 10), variant('other', 9.9)])], options())
    const order = submits.slice(-12).map(({ ids }) => [...ids].join())
    expect(order).toEqual(Array.from({ length: 3 }, () => ['now', 'now', 'other', 'other']).flat())
  })

  it('end for a task, but not for others, where one repetition takes more than 50 ms', async () => {
    const { store, puts } = shelf()
    const heavy = task('now', [variant('now', 51), variant('light', 1)], 'heavy', 2)
    const light = task('now', [variant('now', 1), variant('heavy', 51), variant('fast', 0.5)], 'light')
    expect(await tune([light, heavy], options({ store }))).toEqual({ light: 'fast' })
    expect(submits.filter(({ took }) => took > 51)).toHaveLength(4) // two each: the first run may pay for more than itself
    expect(Object.keys(puts.at(-1)!.tasks)).toEqual(['light'])
    expect(puts.at(-1)!.tasks.light!.times.heavy).toBe(Infinity)
  })

  it('end where the clock does not move', async () => {
    expect(await tune([task('now', [variant('now', 0), variant('fast', 0)])], options({ clock: () => 0 }))).toEqual({})
    expect(Math.max(...submits.map(({ repeats }) => repeats))).toBe(2 ** 14)
  })

  it('of a hopeless variant are few', async () => {
    await tune([task('now', [variant('now', 10), variant('hopeless', 13)])], options())
    const hopeless = submits.filter(({ ids }) => ids.has('hopeless')).length
    submits = []
    await tune([task('now', [variant('now', 10), variant('near', 10.5)])], options())
    const near = submits.filter(({ ids }) => ids.has('near')).length
    expect(near - hopeless).toBe(4)
  })
})

describe('the budget', () => {
  const ids = Array.from({ length: 12 }, (_, index) => `v${index}`)
  const many = () => task('now', [variant('now', 1), ...ids.map((id, index) => variant(id, 1 - 0.04 * index))])

  it('is kept to but for one sample, and the next call goes on where this one stopped', async () => {
    const { store, puts } = shelf()
    const seen: string[][] = []
    const bests: string[] = []
    let current = 'now'
    for (let load = 0; load < 20; load++) {
      prepared = []
      const began = now
      const { shape } = await tune([{ ...many(), current }], options({ store, budget: 1000 }))
      expect(now - began).toBeLessThan(1000 + 100)
      if (prepared.length === 0) break
      seen.push(prepared)
      current = shape ?? current
      bests.push(current)
      expect(puts.at(-1)!.tasks.shape!.best).toBe(current)
    }
    expect(current).toBe('v11')
    expect(seen.length).toBeGreaterThan(2)
    // Every load prepares the best one, then what is not decided yet: at most the last of a load comes again.
    expect(seen.map(([first]) => first)).toEqual(['now', ...bests.slice(0, -1)])
    const challengers = seen.flatMap((load) => load.slice(1))
    expect(challengers.filter((id, index) => id !== challengers[index - 1])).toEqual(ids)
    expect(prepared).toEqual([])
  })

  it('goes to the heaviest task first', async () => {
    const pair = (id: string) => [variant(`${id} now`, 1), variant(`${id} fast`, 0.5)]
    const tasks = ['light', 'heavy', 'middle'].map((key, index) => task(`${key} now`, pair(key), key, [1, 3, 2][index]!))
    expect(await tune(tasks, options({ budget: 700 }))).toEqual({ heavy: 'heavy fast' })
    expect(prepared.slice(0, 2)).toEqual(['heavy now', 'heavy fast'])
    expect(await tune(tasks, options())).toEqual({ light: 'light fast', heavy: 'heavy fast', middle: 'middle fast' })
  })

  it('is two seconds', async () => {
    await tune([many()], options({ budget: undefined }))
    expect(now).toBeGreaterThanOrEqual(2000)
    expect(now).toBeLessThan(2100)
  })

  it('does not count what the tuner waited for', async () => {
    const idle = async () => {
      now += 10_000
    }
    expect(await tune([task('now', [variant('now', 1), variant('fast', 0.5)])], options({ budget: 2000, idle }))).toEqual({ shape: 'fast' })
  })

  it('gives up a variant that does not fit a whole one, and no other', async () => {
    const { store } = shelf()
    const variants = () => [variant('now', 1), variant('endless', 0.5, { compiling: 5000 }), variant('fast', 0.8)]
    expect(await tune([task('now', variants())], options({ store, budget: 2000 }))).toEqual({})
    expect(await tune([task('now', variants())], options({ store, budget: 2000 }))).toEqual({ shape: 'fast' })
    expect(prepared).toEqual(['now', 'endless', 'now', 'fast'])
  })
})

describe('a chat', () => {
  it('ends the tuning with the sample under way; what it disturbed is measured anew at the next load', async () => {
    const { store, puts } = shelf()
    const variants = [variant('now', 1), variant('fast', 0.8), variant('faster', 0.6)]
    for (const at of [0, 1, 3, 10, 20]) {
      submits = []
      const chat = new AbortController()
      disturb = (submit, took) => {
        if (submit === at) chat.abort()
        return took
      }
      expect(await tune([task('now', variants)], options({ store: shelf().store, signal: chat.signal }))).toEqual(
        at < 20 ? {} : { shape: 'fast' },
      )
      expect(submits).toHaveLength(at + 1)
    }
    const chat = new AbortController()
    submits = []
    disturb = (submit, took) => {
      if (submit === 10) chat.abort()
      return took
    }
    await tune([task('now', variants)], options({ store, signal: chat.signal }))
    expect(puts.at(-1)!.tasks.shape).toEqual({ best: 'now', times: { now: 1 } })
    disturb = (_, took) => took
    expect(await tune([task('now', variants)], options({ store }))).toEqual({ shape: 'faster' })
  })

  it('that comes with the last sample of all leaves the choice open', async () => {
    const variants = [variant('now', 1), variant('fast', 0.8)]
    await tune([task('now', variants)], options())
    const last = submits.length - 1
    const chat = new AbortController()
    submits = []
    disturb = (submit, took) => {
      if (submit === last) chat.abort()
      return took
    }
    const { store, puts } = shelf()
    expect(await tune([task('now', variants)], options({ store, signal: chat.signal }))).toEqual({})
    expect([submits.length - 1, puts.at(-1)!.tasks.shape!.times]).toEqual([last, { now: 1 }])
  })

  it('is no reason to blame a variant, nor is an idle that rejects', async () => {
    const { store, puts } = shelf()
    let steps = 0
    const idle = async () => {
      if (++steps === 12) throw new Error('closing')
    }
    await tune([task('now', [variant('now', 1), variant('fast', 0.8)])], options({ store, idle }))
    expect(puts.at(-1)!.tasks.shape).toEqual({ best: 'now', times: { now: 1 } })
  })

  it('that is there already, or an idle that rejects, ends it before anything is done', async () => {
    const variants = [variant('now', 1), variant('fast', 0.8)]
    const idle = () => Promise.reject(new Error('closing'))
    for (const more of [{ signal: AbortSignal.abort() }, { idle }]) expect(await tune([task('now', variants)], options(more))).toEqual({})
    expect([prepared, submits]).toEqual([[], []])
  })
})

describe('what is kept', () => {
  const variants = [variant('now', 1), variant('fast', 0.8), variant('faster', 0.5)]
  const kept = (best: string, times: Record<string, number>, key = 'this GPU') => ({ key, tasks: { shape: { best, times } } })

  it('is believed: a tried variant is not tried again, and the best one is named', async () => {
    const { store } = shelf(kept('fast', { now: 1, fast: 0.8, faster: 0.9 }))
    expect(await tune([task('now', variants)], options({ store }))).toEqual({ shape: 'fast' })
    expect(await tune([task('fast', variants)], options({ store }))).toEqual({})
    expect(prepared).toEqual([])
  })

  it('stays for tasks of other models', async () => {
    const other = { best: 'x', times: { x: 1 } }
    const { store, puts } = shelf({ key: 'this GPU', tasks: { other } })
    await tune([task('now', variants)], options({ store }))
    expect(puts.at(-1)!.tasks.other).toEqual(other)
  })

  it.each([
    ['of another GPU, browser or set of kernels', kept('fast', { now: 1, fast: 0.8, faster: 0.9 }, 'that GPU')],
    ['a word', 'tuned'],
    ['nothing', null],
    ['without tasks', { key: 'this GPU' }],
    ['without times', { key: 'this GPU', tasks: { shape: { best: 'fast' } } }],
    ['with bad times', { key: 'this GPU', tasks: { shape: { best: 'fast', times: { fast: 'quick' } } } }],
    ['with a hole', { key: 'this GPU', tasks: { shape: null } }],
    ['with a best variant that is gone', kept('gone', { now: 1, fast: 2, faster: 2, gone: 0.1 })],
  ])('counts as none when it is %s, and is written over', async (_, found) => {
    const { store, puts } = shelf(found)
    expect(await tune([task('now', variants)], options({ store }))).toEqual({ shape: 'faster' })
    expect(puts.at(-1)).toMatchObject(kept('faster', { now: 1, fast: expect.closeTo(0.8, 3), faster: expect.closeTo(0.5, 3) }))
  })

  it('may be nothing: a store that fails both ways changes no choice', async () => {
    const fails = () => Promise.reject(new Error('SecurityError'))
    expect(await tune([task('now', variants)], options({ store: { get: fails, put: fails } }))).toEqual({ shape: 'faster' })
  })

  it('names a variant before it runs, so that one the GPU died of is not met twice', async () => {
    const { store, puts } = shelf()
    disturb = (_, took) => {
      if (submits.at(-1)?.ids.has('fast')) lose('unknown')
      return took
    }
    const preparing = variants[1]!.prepare
    let before: unknown
    variants[1]!.prepare = async () => {
      before = puts.at(-1)?.tasks.shape
      variants[1]!.prepare = preparing
      return preparing()
    }
    expect(await tune([task('now', variants)], options({ store }))).toEqual({})
    expect(before).toEqual({ best: 'now', times: { now: 1, fast: Infinity } })
    expect(puts.at(-1)!.tasks.shape).toEqual(before)
    disturb = (_, took) => took
    device = makeDevice()
    prepared = []
    expect(await tune([task('now', variants)], options({ store }))).toEqual({ shape: 'faster' })
    expect(prepared).toEqual(['now', 'faster'])
  })

  it('does not blame a variant for a model that was closed', async () => {
    const { store, puts } = shelf()
    disturb = (submit, took) => {
      if (submit === 8) lose('destroyed')
      return took
    }
    expect(await tune([task('now', variants)], options({ store }))).toEqual({})
    expect(puts.at(-1)!.tasks.shape).toEqual({ best: 'now', times: { now: 1 } })
  })
})
