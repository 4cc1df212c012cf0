// Asking for a device, without one: what a browser can answer, aborting, and ends. Real devices: capture.browser.test.ts.
import { expect, test } from 'vitest'
import { GlmError } from '../../src/errors.ts'
import { open, openCamera } from '../../src/media/capture.ts'
import type { CaptureKind } from '../../src/media/capture_ask.ts'
import { LiveTimeline } from '../../src/media/live.ts'
import { fed, platform, stream } from './capture_fake.ts'

const refused = async (promise: Promise<unknown>): Promise<GlmError> => {
  const error = await promise.then(
    () => undefined,
    (error) => error,
  )
  expect(error).toBeInstanceOf(GlmError)
  return error
}

const answers: [string, CaptureKind, RegExp][] = [
  ['NotAllowedError', 'camera', /^Permission for the camera was refused; allow it/],
  ['NotAllowedError', 'screen', /^The screen was not shared/],
  ['NotFoundError', 'microphone', /^There is no microphone; connect one/],
  ['NotReadableError', 'camera', /another program may use it/],
  ['AbortError', 'camera', /failed to start; reconnect/],
  ['OverconstrainedError', 'camera', /^No camera meets the constraint given; ask for less/],
  ['SecurityError', 'camera', /may not use a camera/],
  ['InvalidStateError', 'screen', /from a click/],
  ['UnknownError', 'camera', /^The camera could not be opened: so it was/],
]
for (const [name, kind, text] of answers) {
  test(`${kind}: ${name}`, async () => {
    const cause = new DOMException('so it was', name)
    const error = await refused(
      open(
        kind,
        {},
        platform(() => Promise.reject(cause)),
      ),
    )
    expect(error).toMatchObject({ code: 'request_invalid', cause })
    expect(error.message).toMatch(text)
  })
}

test('constraints that are none', async () => {
  const given = platform(() => Promise.reject(new TypeError('bad')))
  expect((await refused(open('camera', {}, given))).message).toMatch(/constraints for the camera are none/)
})

test('the constraint that cannot be met is named', async () => {
  const cause = Object.assign(new DOMException('', 'OverconstrainedError'), { constraint: 'width' })
  const error = await refused(
    open(
      'camera',
      {},
      platform(() => Promise.reject(cause)),
    ),
  )
  expect(error.message).toMatch(/constraint width; ask for less/)
})

test('no devices: an insecure page, or a browser without', async () => {
  expect((await refused(openCamera())).message).toMatch(/secure pages only; serve this one by https/)
  Object.defineProperty(globalThis, 'isSecureContext', { value: true, configurable: true })
  try {
    expect((await refused(openCamera())).message).toMatch(/This browser gives no camera here/)
    const given = { ...platform(() => Promise.reject()), devices: { getUserMedia: async () => {} } as unknown as MediaDevices }
    expect((await refused(open('screen', {}, given))).message).toMatch(/gives no screen here/)
  } finally {
    Reflect.deleteProperty(globalThis, 'isSecureContext')
  }
})

test('what is asked for: pictures, or one channel of sound, under the constraints of the caller', async () => {
  const asked: unknown[] = []
  const given = platform(() => Promise.reject())
  const note = async (what: unknown) => {
    asked.push(what)
    return stream().stream
  }
  given.devices = { getUserMedia: note, getDisplayMedia: note } as unknown as MediaDevices
  await open('camera', { constraints: { width: 320 } }, given)
  await open('microphone', { constraints: { echoCancellation: false } }, given)
  await open('microphone', { constraints: { channelCount: 2 } }, given)
  await open('screen', {}, given)
  expect(asked).toEqual([
    { video: { width: 320 } },
    { audio: { channelCount: 1, echoCancellation: false } },
    { audio: { channelCount: 2 } },
    { video: {} },
  ])
})

test('aborted before: nothing is asked', async () => {
  let asked = 0
  const given = platform(async () => {
    asked++
    return stream().stream
  })
  expect((await refused(open('camera', { signal: AbortSignal.abort('why') }, given))).code).toBe('aborted')
  expect(asked).toBe(0)
})

test('aborted while the user thinks: at once, and the stream that comes later is stopped', async () => {
  const aborter = new AbortController()
  let answer: (stream: MediaStream) => void = () => {}
  const opening = refused(
    open(
      'camera',
      { signal: aborter.signal },
      platform(
        () =>
          new Promise((resolve) => {
            answer = resolve
          }),
      ),
    ),
  )
  aborter.abort('why')
  expect(await opening).toMatchObject({ code: 'aborted', cause: 'why' })
  const late = stream()
  answer(late.stream)
  await Promise.resolve()
  expect(late.track.stopped).toBe(1)
})

test('aborted later: closed', async () => {
  const aborter = new AbortController()
  const given = stream()
  const capture = await open(
    'camera',
    { signal: aborter.signal },
    platform(async () => given.stream),
  )
  expect(given.track.stopped).toBe(0)
  aborter.abort()
  await capture.ended
  expect(given.track.stopped).toBe(1)
})

test('the device is taken away: ended is told, feeds end, no new one begins', async () => {
  const given = stream()
  const source = fed<AudioData>()
  const capture = await open(
    'microphone',
    {},
    platform(async () => given.stream, { Processor: source.Processor }),
  )
  const live = new LiveTimeline({ rate: 10 })
  const feed = await capture.feed(live, 'm')
  let over = false
  void capture.ended.then(() => {
    over = true
  })
  await Promise.resolve()
  expect(over).toBe(false)
  given.track.dispatchEvent(new Event('ended'))
  await capture.ended
  await feed.done
  expect((await refused(capture.feed(live, 'm'))).code).toBe('closed')
})

test('closed: the device is given back, once is enough, feeding is refused', async () => {
  const given = stream()
  const capture = await open(
    'camera',
    {},
    platform(async () => given.stream),
  )
  capture.close()
  capture.close()
  await capture.ended
  expect(given.track.stopped).toBeGreaterThan(0)
  expect(await refused(capture.feed(new LiveTimeline({ rate: 10 }), 'v'))).toMatchObject({
    code: 'closed',
    message: 'The camera has ended; open it again.',
  })
})

test('options that are none, and names that are not free', async () => {
  const source = fed<AudioData>()
  const capture = await open(
    'microphone',
    {},
    platform(async () => stream().stream, { Processor: source.Processor }),
  )
  const live = new LiveTimeline({ rate: 10 })
  for (const options of [{ fps: 0 }, { fps: Number.NaN }, { fps: Infinity }, { maxQueue: 0 }, { maxQueue: 1.5 }])
    expect((await refused(capture.feed(live, 'x', options))).message).toMatch(/^E_RANGE: track x: (fps|maxQueue) must be/)
  expect((await refused(capture.feed(live, 'toString'))).message).toMatch(/E_RANGE/)
  expect(Object.keys(live.report.tracks)).toEqual([])
})

/** What a processor gives, as far as it is read. */
function block(timestamp: number): AudioData & { closed: number } {
  const copyTo = (to: Float32Array, { planeIndex }: { planeIndex: number }) => void to.fill(planeIndex / 4)
  const given = { timestamp, sampleRate: 48000, numberOfChannels: 2, numberOfFrames: 480, copyTo, closed: 0, close: () => given.closed++ }
  return given as unknown as AudioData & { closed: number }
}

test('the first that come are late: they only tell the least wait, and the clock starts from it', async () => {
  const source = fed<AudioData>()
  let now = 0
  const capture = await open(
    'microphone',
    {},
    platform(async () => stream().stream, { Processor: source.Processor, now: () => now }),
  )
  const pushed: [number, number][] = []
  const live = new LiveTimeline({ rate: 10 })
  const push = live.push.bind(live)
  live.push = (id, media, value, received) => {
    pushed.push([media / 1000, received!])
    return push(id, media, value, received)
  }
  await capture.feed(live, 'm')
  const blocks = Array.from({ length: 60 }, (_, i) => block(5_000_000 + i * 10_000))
  for (const [i, one] of blocks.entries()) {
    // Each 10 ms long and 2 ms under way; the first ten wait for the page, and so do those from the 42nd to the 46th.
    now = Math.max(i * 10 + 12, 130, i >= 42 ? 472 : 0)
    await source.give(one)
  }
  // Watched from 120 (when the first began) to 420: the least wait is 2 ms after a block's length. Only the first push is helped.
  expect(pushed.map(([media, received]) => received - (media - 5000))).toEqual([2, 32, 22, 12, ...Array(14).fill(2)])
  expect(blocks.every(({ closed }) => closed === 1)).toBe(true)
  expect(Math.abs(live.report.tracks.m!.pending)).toBeLessThan(1e-6)
  live.close()
})
