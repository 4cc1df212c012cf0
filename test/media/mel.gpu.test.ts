// Log-mel against the real processors (test/fixtures/make_mel.py): Whisper's two paths and GLM-ASR's, values, shapes, times, masks, and what it costs.
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest'
import { readBack } from '../../src/gpu/buffers.ts'
import { dawn } from '../../src/gpu/dawn.ts'
import { type Gpu, openGpu } from '../../src/gpu/device.ts'
import { faultOf } from '../../src/media/faults.ts'
import { LogMel, logMel, type Mel, type MelOptions, openMel, type Sound } from '../../src/media/mel.ts'
import { standard, logMel as twin, whisper } from '../reference/mel.ts'
import { type Case, fixtures, sounds, stored, voice } from './mel_sounds.ts'

let gpu: Gpu
let mel: LogMel
beforeAll(async () => {
  gpu = await openGpu(await dawn())
  mel = openMel(gpu)
})
afterAll(() => mel.close())
afterEach(() => vi.restoreAllMocks())

const soundOf = (one: Case) => (one.samples ? voice(one.samples) : sounds[one.sound]!())

/** The largest distance between stored frames and ours. */
function distance(values: Float32Array, { mels, frames, count, chunk = 0 }: Case, at: number): number {
  let worst = 0
  frames.forEach((t, row) => {
    for (let m = 0; m < mels; m++) {
      const apart = Math.abs(values[(chunk * mels + m) * count + t]! - stored[at + row * mels + m]!)
      if (!(apart <= worst)) worst = apart
    }
  })
  return worst
}

const far = (a: ArrayLike<number>, b: ArrayLike<number>) =>
  Array.from(a).reduce((worst, value, i) => Math.max(worst, Math.abs(value - b[i]!)), 0)
const largest = (values: Float32Array) => values.reduce((a, b) => Math.max(a, b))
const mean = (values: Float32Array) => values.reduce((a, b) => a + b, 0) / values.length

/** Of one length and mode, so that a table of them can be told apart. */
const nameOf = (one: Case) =>
  `${one.sound}, ${one.mels} mels, ${one.normalize}${one.pad ? ', padded' : ''}${one.chunks ? `, chunk ${one.chunk}` : ''}`

const casesOf = (wanted: (one: Case) => boolean) => fixtures.cases.filter(wanted).map((one) => [nameOf(one), one] as const)

describe('the real processors', () => {
  test.each(casesOf((one) => one.normalize === 'whisper' && !one.profile))('%s: within 1e-4', async (_, one) => {
    const { values, shape } = await mel.values(soundOf(one), { mels: one.mels, normalize: 'whisper', pad: one.pad ?? 0 })
    expect(shape).toEqual([one.mels, one.count])
    for (const answer of Object.values(one.answers)) {
      expect(distance(values, one, answer.at)).toBeLessThan(1e-4)
      expect(largest(values)).toBeCloseTo(answer.max, 5)
      expect(values.reduce((a, b) => Math.min(a, b))).toBeCloseTo(answer.min, 5)
      expect(mean(values)).toBeCloseTo(answer.mean, 5)
    }
  })

  // Nothing is clamped here: bins far below the loudest of their frame are shown as well.
  test.each(casesOf((one) => one.normalize !== 'whisper'))('%s: within 2e-4', async (_, one) => {
    const { values } = await mel.values(soundOf(one), { mels: one.mels, normalize: one.normalize })
    expect(distance(values, one, one.answers.numpy!.at)).toBeLessThan(2e-4)
    expect(mean(values)).toBeCloseTo(one.answers.numpy!.mean, 5)
  })

  test('GLM-ASR: chunks of 30 s, each with its own maximum', async () => {
    const made = new Map<string, Mel>()
    for (const one of fixtures.cases.filter(({ profile }) => profile)) {
      if (!made.has(one.sound)) made.set(one.sound, await mel.values(soundOf(one), { profile: one.profile! }))
      const { values, shape } = made.get(one.sound)!
      expect(shape).toEqual([one.chunks, 128, 3000])
      expect(distance(values, one, one.answers.torch!.at)).toBeLessThan(1e-4)
      const own = values.subarray(one.chunk! * 384_000, (one.chunk! + 1) * 384_000)
      expect(mean(own)).toBeCloseTo(one.answers.torch!.mean, 4)
      expect(largest(own)).toBeCloseTo(one.answers.torch!.max, 5)
    }
    const { times, mask } = made.get('forty-seven')!
    expect([times[2999], times[3000], times[5999]]).toEqual([29.99, 30, 59.99])
    // The last chunk has 17 s of sound; its last frame that hears no padding is centred on 16.98 s.
    expect([mask[2999], mask[3000], mask[4698], mask[4699], mask[5999]]).toEqual([1, 1, 1, 0, 0])
  })
})

test('a second of 440 Hz is what the sheet says', async () => {
  const tone = Float32Array.from({ length: 16000 }, (_, i) => 0.5 * Math.sin((2 * Math.PI * 440 * i) / 16000))
  const { values, shape, maximum } = await mel.values(tone, { normalize: 'whisper' })
  expect(shape).toEqual([128, 100])
  expect(maximum).toBeCloseTo(1.941416, 5)
  const frame = Array.from({ length: 128 }, (_, m) => values[m * 100 + 50]!)
  expect(frame.indexOf(Math.max(...frame))).toBe(18)
  expect(frame[18]).toBeCloseTo(1.485354, 5)
  expect(mean(values)).toBeCloseTo(-0.424144, 5)
  const padded = await mel.values(tone, { normalize: 'whisper', pad: 30 })
  let sum = 0
  for (let m = 0; m < 128; m++) for (let t = 0; t < 100; t++) sum += padded.values[m * 3000 + t]!
  expect(sum / 12800).toBeCloseTo(-0.425324, 5)
})

test('silence is -1.5, its own mean, and -10', async () => {
  const silence = new Float32Array(8000)
  const of = async (normalize: MelOptions['normalize']) => new Set((await mel.values(silence, { normalize: normalize! })).values)
  expect([...(await of('whisper'))]).toEqual([-1.5])
  expect([...(await of('none'))].map((value) => value.toFixed(5))).toEqual(['-10.00000'])
  for (const value of await of('meanvar')) expect(Math.abs(value)).toBeLessThan(0.01)
})

test('an impulse peaks in the frame that is centred on it', async () => {
  const click = new Float32Array(16000)
  click[8000] = 1
  const { values, times } = await mel.values(click, { mels: 80, normalize: 'none' })
  const heard = Array.from({ length: 100 }, (_, t) => values[40 * 100 + t]!)
  expect(heard.indexOf(Math.max(...heard))).toBe(50)
  expect(times[50]).toBe(0.5)
  expect(heard.flatMap((value, t) => (value > -9 ? [t] : []))).toEqual([49, 50, 51])
})

test('the default is mean 0 and variance 1 of 128 mels', async () => {
  const sound = voice(24000)
  const { values, shape } = await mel.values(sound)
  expect(shape).toEqual([128, 150])
  expect(Math.abs(mean(values))).toBeLessThan(1e-5)
  expect(mean(values.map((value) => value * value))).toBeCloseTo(1, 4)
  expect(far(values, standard(twin(sound, 24000, 128).values))).toBeLessThan(1e-4)
})

describe('what it costs', () => {
  /** Submits and dispatches of a call. */
  async function counted(work: () => Promise<unknown>) {
    const submits = vi.spyOn(gpu.device.queue, 'submit')
    let dispatches = 0
    const encoders = vi.spyOn(gpu.device, 'createCommandEncoder')
    encoders.mockImplementation((...given) => {
      const encoder = GPUDevice.prototype.createCommandEncoder.apply(gpu.device, given)
      const begin = encoder.beginComputePass.bind(encoder)
      encoder.beginComputePass = (...how) => {
        const pass = begin(...how)
        const dispatch = pass.dispatchWorkgroups.bind(pass)
        pass.dispatchWorkgroups = (...groups) => {
          dispatches++
          dispatch(...groups)
        }
        return pass
      }
      return encoder
    })
    await work()
    return { submits: submits.mock.calls.length, dispatches }
  }

  test('three dispatches in one submit; two where nothing is scaled', async () => {
    const sound = voice(8000)
    for (const normalize of ['whisper', 'meanvar', 'none'] as const) {
      const cost = await counted(() => mel.values(sound, { normalize }))
      expect(cost).toEqual({ submits: 1, dispatches: normalize === 'none' ? 2 : 3 })
      vi.restoreAllMocks()
    }
    expect(await counted(() => mel.toBuffer(sound))).toEqual({ submits: 1, dispatches: 3 })
  })

  test('more than two minutes: one more of each per two minutes, and one maximum over all', async () => {
    const sound = new Float32Array(16000 * 125)
    sound.set(voice(1600), 0)
    sound[16000 * 122] = 1
    let made: Mel | undefined
    expect(await counted(async () => (made = await mel.values(sound, { mels: 80, normalize: 'whisper' })))).toEqual({
      submits: 2,
      dispatches: 4,
    })
    vi.restoreAllMocks()
    const { values, maximum } = made!
    expect(made!.shape).toEqual([80, 12500])
    const at = (m: number, t: number) => values[m * 12500 + t]!
    expect(at(70, 12200)).toBeGreaterThan(at(70, 12000))
    expect(at(70, 12000)).toBeCloseTo((maximum - 8 + 4) / 4, 5)
    const alone = await mel.values(sound.subarray(0, 3200), { mels: 80, normalize: 'none' })
    for (const m of [3, 40, 79]) expect(at(m, 3)).toBeCloseTo((Math.max(alone.values[m * 20 + 3]!, maximum - 8) + 4) / 4, 5)
  })
})

test('many chunks on a GPU that binds 2 MiB at once: one after the other', async () => {
  const small = new LogMel({ device: gpu.device, limits: { binding: 2 << 20, buffer: 2 << 20 } })
  const sound = new Float32Array(16000 * 40)
  for (let k = 0; k < 2; k++) {
    const quieter = sounds.tone!().map((value) => value / (k + 1))
    sound.set(quieter.subarray(0, 9600), k * 480_000 + 1600)
  }
  const { values, shape, maximum, mask } = await small.values(sound, { profile: 'glm-asr' })
  expect(shape).toEqual([2, 128, 3000])
  expect(maximum).toBeCloseTo(1.9414, 2)
  expect(values).toEqual((await mel.values(sound, { profile: 'glm-asr' })).values)
  const alone = await mel.values(sound.subarray(480_000), { profile: 'glm-asr' })
  expect(values.subarray(384_000)).toEqual(alone.values)
  expect(mask.reduce((a, b) => a + b, 0)).toBe(3999)
  await expect(small.values(sound)).rejects.toMatchObject({ code: 'out_of_memory' })
  await expect(small.toBuffer(sound, { profile: 'glm-asr' })).rejects.toMatchObject({ code: 'out_of_memory' })
  small.close()
})

test('one shot, and nothing stays', async () => {
  const sound = voice(3200)
  expect(await logMel(gpu.device, sound)).toEqual(await mel.values(sound))
})

test('left on the GPU it is the same', async () => {
  const sound = voice(16000)
  const { buffer, ...rest } = await mel.toBuffer(sound, { normalize: 'whisper' })
  const { values, maximum: _, ...same } = await mel.values(sound, { normalize: 'whisper' })
  expect(rest).toEqual(same)
  expect(new Float32Array(await readBack(gpu.device, buffer, 0, values.byteLength))).toEqual(values)
  buffer.destroy()
})

describe('sound that comes in pieces', () => {
  const sound = sounds['quiet, then loud']!()
  const [quiet, loud] = [sound.subarray(0, 16000), sound.subarray(16000)]
  const ask: MelOptions = { mels: 80, normalize: 'whisper' }

  test('a running maximum: what went out stays, what follows is as if all had been heard', async () => {
    const first = await mel.values(loud, ask)
    const second = await mel.values(quiet, { ...ask, maximum: first.maximum })
    expect(second.maximum).toBe(first.maximum)
    expect(far(second.values, whisper((await mel.values(quiet, { ...ask, normalize: 'none' })).values, first.maximum))).toBeLessThan(1e-5)
    // Without it, quiet sound is lifted by most of what Whisper's clamp spans.
    expect(far(second.values, (await mel.values(quiet, ask)).values)).toBeGreaterThan(0.5)
  })

  test('a maximum that nothing exceeds: pieces are what the whole is', async () => {
    const whole = await mel.values(sound, { ...ask, maximum: 3.2 })
    const part = await mel.values(quiet, { ...ask, maximum: 3.2 })
    expect(whole.maximum).toBe(3.2)
    for (let m = 0; m < 80; m++) for (let t = 2; t < 98; t++) expect(part.values[m * 100 + t]).toBe(whole.values[m * 200 + t])
    const square = Float32Array.from({ length: 16000 }, (_, i) => (i % 40 < 20 ? 1 : -1))
    expect((await mel.values(square, { normalize: 'none' })).maximum).toBeLessThan(3.2)
  })
})

describe('gaps and clocks', () => {
  const one = voice(16000)

  test('a gap is zeros, and every frame that hears some of it is masked', async () => {
    const sound: Sound = {
      sampleRate: 16000,
      segments: [
        { start: 10, samples: one.subarray(0, 8000) },
        { start: 11, samples: one.subarray(8000) },
      ],
    }
    const { values, times, mask, shape } = await mel.values(sound, { normalize: 'whisper' })
    expect(shape).toEqual([128, 150])
    expect([times[0], times[149]]).toEqual([10, 11.49])
    // 0.5 s of sound, 0.5 s of none: frames 49 to 101 reach into it.
    expect(Array.from(mask.keys()).filter((t) => !mask[t])).toEqual(Array.from({ length: 53 }, (_, k) => 49 + k))
    const line = new Float32Array(24000)
    line.set(one.subarray(0, 8000))
    line.set(one.subarray(8000), 16000)
    expect(values).toEqual((await mel.values(line, { normalize: 'whisper' })).values)
  })

  test('segments that touch are one sound', async () => {
    const segments = [
      { start: 0, samples: one.subarray(0, 8001) },
      { startTicks: (8001 / 16000) * 705_600_000, samples: one.subarray(8001) },
    ]
    const joined = await mel.values({ sampleRate: 16000, segments })
    expect(joined).toEqual(await mel.values(one))
    expect(joined.mask.every((bit) => bit === 1)).toBe(true)
  })

  test('what a file decodes to is taken: of an overlap the later segment is heard', async () => {
    const segments = [
      { start: 0, samples: one.subarray(0, 8008) },
      { start: 0.5, samples: one.subarray(8000) },
    ]
    expect(await mel.values({ sampleRate: 16000, segments })).toEqual(await mel.values(one))
    expect(await mel.values({ sampleRate: 16000, segments: segments.slice().reverse() })).toEqual(await mel.values(one))
  })

  test('channels and other rates become mono at 16 kHz', async () => {
    const at = (rate: number) => Float32Array.from({ length: rate }, (_, i) => 0.5 * Math.sin((2 * Math.PI * 440 * i) / rate))
    const plain = await mel.values(at(16000), { normalize: 'whisper' })
    const stereo = at(48000).map((value) => 2 * value)
    const { values, shape } = await mel.values(
      { samples: [stereo, new Float32Array(48000)], sampleRate: 48000, start: 5 },
      { normalize: 'whisper' },
    )
    expect(shape).toEqual([128, 100])
    for (const m of [16, 18, 20]) expect(values[m * 100 + 50]).toBeCloseTo(plain.values[m * 100 + 50]!, 3)
  })
})

describe('bad input', () => {
  const sound = new Float32Array(16000)
  const cases: [name: string, sound: Sound, options: object, code: string][] = [
    ['no sound', new Float32Array(0), {}, 'E_EMPTY'],
    ['no segments', { segments: [], sampleRate: 48000 }, {}, 'E_EMPTY'],
    ['a sample that is none', Float32Array.of(0, Number.NaN), {}, 'E_BAD_VALUE'],
    ['other mels', sound, { mels: 64 }, 'E_RANGE'],
    ['another mode', sound, { normalize: 'zscore' }, 'E_RANGE'],
    ['another profile', sound, { profile: 'glm-4.1v' }, 'E_RANGE'],
    ['a maximum that is none', sound, { maximum: Number.NaN }, 'E_RANGE'],
    ['a chunk of broken frames', sound, { chunk: 0.005 }, 'E_RANGE'],
    ['no chunk', sound, { chunk: 0 }, 'E_RANGE'],
    ['padding that is none', sound, { pad: -1 }, 'E_RANGE'],
    ['padding without end', sound, { pad: Number.POSITIVE_INFINITY }, 'E_RANGE'],
    ['more than a model hears', new Float32Array(16000 * 630 + 1), { profile: 'glm-asr' }, 'E_TOO_LONG'],
    ['a count without samples', { count: 5, sampleRate: 16000 } as Sound, {}, 'E_RANGE'],
    [
      'a gap of days',
      {
        sampleRate: 16000,
        segments: [
          { start: 0, samples: sound },
          { start: 1e6, samples: sound },
        ],
      },
      {},
      'E_RANGE',
    ],
  ]

  test.each(cases)('%s', async (_, given, options, code) => {
    const error = await mel.values(given, options).catch((error: unknown) => error)
    expect(faultOf(error)?.code).toBe(code)
  })

  test('less than a frame is no frames', async () => {
    for (const { values, shape } of [await mel.values(new Float32Array(159)), await mel.values(Float32Array.of(1), { mels: 80 })]) {
      expect([values.length, shape[1]]).toEqual([0, 0])
    }
    expect((await mel.values(new Float32Array(160))).shape).toEqual([128, 1])
  })

  test('closed is closed, and what was asked before is told so', async () => {
    const own = openMel(gpu)
    const asked = own.values(voice(160_000)).catch((error: unknown) => error)
    own.close()
    expect(await asked).toMatchObject({ code: 'closed' })
    await expect(own.values(sound)).rejects.toMatchObject({ code: 'closed' })
    expect((await mel.values(sound)).shape).toEqual([128, 100])
  })
})
