// The clock of sound without a decoder: runs, gaps, constant packets in a clock of milliseconds, and decoded blocks put back on their packets.
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { pair, soundClock } from '../../src/media/sound_clock.ts'
import { opusSamples } from '../../src/media/sound_opus.ts'
import { pcm } from '../../src/media/sound_pcm.ts'
import { fromIndex, fromSeconds } from '../../src/media/ticks.ts'

const ms = (values: number[]) => Float64Array.from(values, (value) => fromSeconds(value / 1000))
const even = (count: number, samples: number, rate: number) => Float64Array.from({ length: count }, (_, k) => fromIndex(k * samples, rate))

describe('clock', () => {
  test('AAC in whole milliseconds counts 1024 samples a packet and does not drift', () => {
    const times = ms(Array.from({ length: 3000 }, (_, k) => Math.round((k * 1024000) / 48000)))
    const { starts, counts, runs } = soundClock({ codec: 'aac', rate: 48000, times, durations: ms(Array(3000).fill(21)) })
    expect(runs).toEqual([{ startTicks: 0, count: 3000 * 1024 }])
    expect(new Set(counts)).toEqual(new Set([1024]))
    expect(starts[2999]).toBe(fromIndex(2999 * 1024, 48000))
  })

  test('a leap of more than 5 ms begins a run, a smaller one does not', () => {
    const times = even(100, 960, 48000).map((time, k) => time + (k >= 50 ? fromSeconds(0.02) : k >= 20 ? fromSeconds(0.004) : 0))
    const { runs } = soundClock({ codec: 'opus', rate: 48000, times, durations: ms(Array(100).fill(20)) })
    expect(runs.map(({ count }) => count)).toEqual([50 * 960, 50 * 960])
    expect(runs[1]!.startTicks).toBe(times[50])
  })

  test('a first packet that lasts longer than it holds leaves a gap', () => {
    const times = Float64Array.from([0, ...even(50, 1024, 48000).map((time) => time + fromIndex(3200, 48000))])
    const durations = Float64Array.from(times, (_, k) => fromIndex(k === 0 ? 3200 : 1024, 48000))
    const { runs } = soundClock({ codec: 'aac', rate: 48000, times, durations })
    expect(runs).toEqual([
      { startTicks: 0, count: 1024 },
      { startTicks: fromIndex(3200, 48000), count: 50 * 1024 },
    ])
  })

  test('packets of varying size last until the next one; the last as long as it says', () => {
    const times = Float64Array.from([0, 128, 704, 1728], (samples) => fromIndex(samples, 44100))
    const durations = Float64Array.from([128, 576, 1024, 500], (samples) => fromIndex(samples, 44100))
    expect(Array.from(soundClock({ codec: 'vorbis', rate: 44100, times, durations }).counts)).toEqual([128, 576, 1024, 500])
  })

  test('every sample belongs to a run, and no packet is more than 5 ms from where it says', () => {
    const steps = fc.array(fc.integer({ min: 0, max: 60 }), { minLength: 1, maxLength: 60 })
    fc.assert(
      fc.property(steps, fc.constantFrom('aac', 'opus', 'mp3', 'vorbis', 'flac'), (gaps, codec) => {
        const at = gaps.map((_, k) => gaps.slice(0, k + 1).reduce((a, b) => a + b))
        const times = ms(at)
        const { starts, counts, runs } = soundClock({ codec, rate: 48000, times, durations: ms(gaps) })
        expect(runs.reduce((sum, { count }) => sum + count, 0)).toBe(counts.reduce((a, b) => a + b, 0))
        expect(starts.every((start, k) => Math.abs(start - times[k]!) <= fromSeconds(0.005))).toBe(true)
      }),
      { numRuns: 1000 },
    )
  })
})

describe('a clock that a recorder stamped', () => {
  const opus = (times: Float64Array, samples = 2880) =>
    soundClock({
      codec: 'opus',
      rate: 48000,
      times,
      durations: ms(Array(times.length).fill(0)),
      sizes: new Int32Array(times.length).fill(samples),
    })
  /** Late by 0 to `most` ms, the same in every run. */
  const jitter = (count: number, most: number) =>
    Array.from({ length: count }, (_, k) => ((k * 7919 + (k >> 2) * 104729) % 1000) * (most / 1000))
  const late = (values: number[], step = 60) => ms(values.map((value, k) => k * step + value))

  test('packets that jitter are one run, at the median of what the first say', () => {
    const seen = [27.5, 87.5, 156.5, 208.5, 267.5, 336.5]
    const { runs, starts, counts } = opus(ms(seen))
    expect(runs).toEqual([{ startTicks: fromSeconds(0.0275), count: 6 * 2880 }])
    expect(Array.from(counts)).toEqual(Array(6).fill(2880))
    expect(starts[5]).toBe(fromSeconds(0.3275))
    expect(opus(late(jitter(20_000, 19))).runs.map(({ count }) => count)).toEqual([20_000 * 2880])
  })

  test('a clock that nowhere goes back is taken at its word: 5 ms are a gap', () => {
    const shifted = late(Array.from({ length: 100 }, (_, k) => (k < 50 ? 0 : 8)))
    expect(opus(shifted).runs).toEqual([
      { startTicks: 0, count: 50 * 2880 },
      { startTicks: shifted[50], count: 50 * 2880 },
    ])
  })

  test('a gap among jitter stays a gap; few packets that come late, however late, are none', () => {
    const noise = jitter(400, 12)
    const { runs } = opus(late(noise.map((value, k) => value + (k < 200 ? 0 : 40))))
    expect(runs.map(({ count }) => count)).toEqual([200 * 2880, 200 * 2880])
    expect(Math.abs(runs[1]!.startTicks - runs[0]!.startTicks - fromSeconds(12.04))).toBeLessThan(fromSeconds(0.006))
    expect(opus(late(noise.map((value, k) => value + (k >= 200 && k < 207 ? 90 : 0)))).runs.length).toBe(1)
  })

  test('what drifts is followed: no packet is long more than 20 ms and its jitter away', () => {
    const times = late(jitter(60_000, 9).map((value, k) => value + k * 60 * 1e-4))
    const { starts, runs } = opus(times)
    expect(runs.length).toBeGreaterThan(10)
    expect(runs.length).toBeLessThan(30)
    expect(starts.every((start, k) => Math.abs(start - times[k]!) < fromSeconds(0.035))).toBe(true)
  })

  test('without lengths of their own packets are taken at their word', () => {
    const times = ms([27.5, 87.5, 156.5, 208.5, 267.5, 336.5])
    expect(soundClock({ codec: 'opus', rate: 48000, times, durations: ms(Array(6).fill(60)) }).runs.length).toBe(3)
    const sized = soundClock({ codec: 'aac', rate: 48000, times: late(jitter(50, 15), 1024 / 48), durations: ms(Array(50).fill(21)) })
    expect(sized.runs.length).toBeGreaterThan(5)
  })

  test('lengths of packets: RFC 6716', () => {
    const toc = (config: number, code: number, ...rest: number[]) => opusSamples(Uint8Array.of((config << 3) | code, ...rest))
    expect([0, 1, 2, 3, 11, 12, 13, 15, 16, 17, 18, 19, 31].map((config) => toc(config, 0))).toEqual([
      480, 960, 1920, 2880, 2880, 480, 960, 960, 120, 240, 480, 960, 960,
    ])
    expect([toc(19, 1), toc(19, 2), toc(19, 3, 0xc3), toc(19, 3, 7), toc(19, 3), opusSamples(new Uint8Array())]).toEqual([
      1920, 1920, 2880, 0, 0, 0,
    ])
  })
})

describe('decoded blocks', () => {
  test('one for a packet', () => {
    expect(pair([960, 960, 960], [960, 960, 960])).toEqual([0, 1, 2].map((packet) => ({ packet, dropped: 0 })))
  })

  test('a pre-skip is dropped of the first, and moves it on', () => {
    expect(pair([648, 960], [960, 960])).toEqual([
      { packet: 0, dropped: 312 },
      { packet: 1, dropped: 0 },
    ])
  })

  test('packets that gave nothing were the first', () => {
    expect(pair([576, 1024], [128, 576, 1024])).toEqual([
      { packet: 1, dropped: 0 },
      { packet: 2, dropped: 0 },
    ])
  })

  test('blocks cut otherwise are counted from the end', () => {
    const found = pair(Array(40).fill(512), Array(20).fill(1024))
    expect(found.slice(0, 3)).toEqual([
      { packet: 0, dropped: 0 },
      { packet: 0, dropped: 512 },
      { packet: 1, dropped: 0 },
    ])
    expect(pair([2048, 2048], Array(12).fill(480))[0]).toEqual({ packet: 3, dropped: 224 })
  })
})

describe('sound that is not coded', () => {
  const bytes = (...values: number[]) => Uint8Array.from(values)
  test.each([
    ['pcm-u8', bytes(0, 128, 255), [-1, 0, 127 / 128]],
    ['pcm-s8', bytes(0x80, 0, 0x7f), [-1, 0, 127 / 128]],
    ['pcm-s16', bytes(0, 0x80, 0xff, 0x7f), [-1, 32767 / 32768]],
    ['pcm-s16be', bytes(0x80, 0, 0x7f, 0xff), [-1, 32767 / 32768]],
    ['pcm-s24', bytes(0, 0, 0x80, 0xff, 0xff, 0x7f), [-1, 8388607 / 8388608]],
    ['pcm-s24be', bytes(0x80, 0, 0, 0x7f, 0xff, 0xff), [-1, 8388607 / 8388608]],
    ['pcm-s32', bytes(0, 0, 0, 0x80), [-1]],
    ['pcm-s32be', bytes(0xc0, 0, 0, 0), [-0.5]],
    ['pcm-f32', bytes(0, 0, 0, 0x3f), [0.5]],
    ['pcm-f32be', bytes(0xbf, 0, 0, 0), [-0.5]],
    ['pcm-f64', bytes(0, 0, 0, 0, 0, 0, 0xe0, 0x3f), [0.5]],
    ['pcm-f64be', bytes(0x3f, 0xe0, 0, 0, 0, 0, 0, 0), [0.5]],
    // Extremes and zeros of ITU-T G.711.
    ['ulaw', bytes(0xff, 0x7f, 0x80, 0x00), [0, 0, 32124 / 32768, -32124 / 32768]],
    ['alaw', bytes(0xd5, 0x55, 0xaa, 0x2a), [8 / 32768, -8 / 32768, 32256 / 32768, -32256 / 32768]],
  ])('%s', (codec, data, wanted) => {
    expect(Array.from(pcm(codec, data, 1)[0]!, (value) => value + 0)).toEqual(wanted.map((value) => Math.fround(value)))
  })

  test('channels in turns, and half a frame dropped', () => {
    expect(pcm('pcm-u8', bytes(128, 0, 192, 64, 1), 2).map((one) => Array.from(one))).toEqual([
      [0, 0.5],
      [-1, -0.5],
    ])
  })
})
