// Messages that show something, as they cross to the engine: marks in their places, pixels beside them, steps labelled by the model's rule.
import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import type { GlmError } from '../../src/errors.ts'
import type { RgbaPixels } from '../../src/media/pixels.ts'
import { readShown, type Sees } from '../../src/media/shown.ts'
import { planShown } from '../../src/media/shown_size.ts'
import { Timeline } from '../../src/media/timeline.ts'

const sees: Sees = { picture: true, video: true, profile: 'glm-4.6v' }
const bytes = readFileSync(new URL('../fixtures/vision/pictures/wide.png', import.meta.url))
const grey = (level: number): RgbaPixels => ({ format: 'RGBA', width: 2, height: 1, data: new Uint8Array(8).fill(level) })
const user = (...content: unknown[]) => ({ messages: [{ role: 'user', content }] })

async function faultOf(content: unknown, able: Sees | undefined = sees): Promise<[string, string]> {
  const { code, message } = (await readShown(user(content), able ? { sees: able } : {}).then(
    () => expect.unreachable('it went through'),
    (error) => error,
  )) as GlmError
  return [code, message]
}

describe('what a message shows', () => {
  it('pictures as files, addresses and pixels, in their order; text stays', async () => {
    const text = { type: 'text', text: 'and' }
    const data = `data:image/png;base64,${bytes.toString('base64')}`
    const request = user(
      { type: 'image', image: new Blob([bytes]) },
      text,
      { type: 'image_url', image_url: { url: data } },
      { type: 'image', image: grey(9) },
    )
    const { messages, shown } = await readShown({ ...request, seed: 5 }, { sees })
    expect((messages[0] as { content: unknown[] }).content).toEqual([{ type: 'image' }, text, { type: 'image' }, { type: 'image' }])
    expect(shown.map(({ frames }) => frames.length)).toEqual([1, 1, 1])
    expect(shown[0]!.frames).toEqual(shown[1]!.frames)
    expect(shown[2]!.frames).toEqual([grey(9)])
  })

  it("the caller's pixels are copied: what crosses is handed over", async () => {
    const own = grey(1)
    const { shown } = await readShown(user({ type: 'image', image: own }), { sees })
    expect(shown[0]!.frames[0]!.data.buffer).not.toBe(own.data.buffer)
  })

  it('frames with times are taken as they are; a step has the time of its first', async () => {
    const video = { frames: [1, 2, 3, 4, 5].map(grey), times: [0, 1.24, 2.48, 3.72, 4.96] }
    const { messages, shown, pixels } = await readShown(user({ type: 'video', video }), { sees })
    expect((messages[0] as { content: unknown[] }).content).toEqual([{ type: 'video' }])
    expect(shown[0]!.frames).toEqual(video.frames)
    expect(pixels).toEqual(shown[0]!.frames.map(({ data }) => data.buffer))
    expect(shown[0]!.steps).toEqual([0, 2.48, 4.96].map((time) => ({ time, label: `${time.toFixed(1)} seconds` })))
    const whole = await readShown(user({ type: 'video', video }), { sees: { ...sees, profile: 'glm-4.1v' } })
    expect(whole.shown[0]!.steps!.map(({ label }) => label)).toEqual(['0', '2', '4'])
  })

  it("a timeline gives the frames that the model's rule takes, each read once", async () => {
    const asked: number[] = []
    const frames = (index: number) => {
      asked.push(index)
      return grey(index)
    }
    const timeline = new Timeline().video('camera', { frames, fps: 10, count: 40 })
    const { shown } = await readShown(user({ type: 'timeline', timeline }), { sees })
    const { axis } = timeline.plan({ axis: { kind: 'model', profile: 'glm-4.6v', id: 'camera' } })
    expect(shown[0]!.frames.map(({ data }) => data[0])).toEqual([...axis.frames!])
    expect(shown[0]!.steps!.map(({ label }) => label)).toEqual(axis.labels)
    expect(asked.sort((a, b) => a - b)).toEqual([...new Set(axis.frames!)].sort((a, b) => a - b))
  })

  it('refuses in a sentence what is not there, not whole, or not for this model', async () => {
    const none = undefined
    expect(await readShown(user({ type: 'text', text: 'a' }), {})).toEqual({ ...user({ type: 'text', text: 'a' }), shown: [], pixels: [] })
    expect((await readShown(user({ type: 'image', image: grey(1) }), {}).catch((error) => error)).message).toContain('sees no pictures')
    const edge: Sees = { picture: true, video: false }
    expect(await faultOf({ type: 'video', video: { frames: [grey(1)], times: [0] } }, edge)).toEqual([
      'messages_invalid',
      expect.stringContaining('no videos'),
    ])
    expect(await faultOf({ type: 'input_audio', input_audio: { data: '', format: 'wav' } })).toEqual([
      'messages_invalid',
      expect.stringContaining('hears nothing'),
    ])
    expect(await faultOf({ type: 'file' })).toEqual(['messages_invalid', expect.stringContaining('"file"')])
    expect(await faultOf({ type: 'constructor' })).toEqual(['messages_invalid', expect.stringContaining('constructor')])
    expect(await faultOf(none)).toEqual(['messages_invalid', expect.stringContaining('undefined')])
    expect(await faultOf({ type: 'image_url', image_url: {} })).toEqual(['messages_invalid', expect.stringContaining('no address')])
    for (const times of [[0], [1, 0], [0, Number.NaN], undefined, [-1, 0]])
      expect(await faultOf({ type: 'video', video: { frames: [grey(1), grey(2)], times } })).toEqual([
        'messages_invalid',
        expect.stringContaining('2 frames'),
      ])
    expect(await faultOf({ type: 'video', video: new Blob(), fps: 0 })).toEqual(['messages_invalid', expect.stringContaining('fps')])
    expect(await faultOf({ type: 'timeline', timeline: new Timeline() })).toEqual([
      'messages_invalid',
      expect.stringContaining('no track of video'),
    ])
    expect(await faultOf({ type: 'image', image: new Blob(['no picture']) })).toEqual(['file_invalid', expect.any(String)])
  })

  it('frames of one video have one size', async () => {
    const wide = { ...grey(1), width: 1, height: 2 }
    expect(await faultOf({ type: 'video', video: { frames: [grey(1), wide], times: [0, 1] } })).toEqual([
      'messages_invalid',
      expect.stringContaining('2 × 1 and of 1 × 2'),
    ])
    const timeline = new Timeline().video('camera', { frames: [grey(1), wide, grey(2), wide], fps: 4 })
    expect((await faultOf({ type: 'timeline', timeline }))[1]).toContain('one size')
    for (const frame of [
      { format: 'I420' },
      { ...grey(1), format: 'NV12' },
      { format: 'RGBA', width: 9, height: 9, data: new Uint8Array(3) },
    ])
      expect((await faultOf({ type: 'image', image: frame }))[0]).toBe('request_invalid')
  })

  it('a video of many bytes crosses at the size that the model would make of it, and a small one as it is', async () => {
    const sizes = { profile: 'glm-4.6v', bounds: { picture: [12_544, 9_633_792], video: [12_544, 47_040_000] } } as const
    const [width, height, count] = [4096, 3072, 12]
    const one: RgbaPixels = { format: 'RGBA', width, height, data: new Uint8Array(4 * width * height).fill(90) }
    const video = { frames: Array(count).fill(one), times: Array.from({ length: count }, (_, i) => i) }
    const { shown } = await readShown({ ...user({ type: 'video', video }), budget: { step: 30 } }, { sees: { ...sees, sizes } })
    const plan = planShown({ frames: video.frames, steps: Array(count / 2) }, sizes, { step: 30 })
    expect(shown[0]!.size).toEqual(plan.resized)
    expect(shown[0]!.frames.map(({ width, height }) => ({ width, height }))).toEqual(Array(count).fill(plan.resized))
    expect(shown[0]!.frames[0]!.data.slice(0, 4)).toEqual(Uint8Array.of(90, 90, 90, 255))
    const few = { frames: video.frames.slice(0, 4), times: video.times.slice(0, 4) }
    const small = await readShown(user({ type: 'video', video: few }), { sees: { ...sees, sizes } })
    expect([small.shown[0]!.size, small.shown[0]!.frames[0]!.width]).toEqual([undefined, width])
  })

  it('stops when it is told to', async () => {
    const fault = await readShown(user({ type: 'image', image: grey(1) }), { sees, signal: AbortSignal.abort() }).catch((error) => error)
    expect(fault.code).toBe('aborted')
  })
})
