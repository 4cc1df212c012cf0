// Frames on demand over a source of the test's own: how often it is asked, and that every frame is closed.
import { expect, test } from 'vitest'
import type { GlmError } from '../../src/errors.ts'
import type { VideoSource } from '../../src/media/container.ts'
import { Frames } from '../../src/media/container_frames.ts'

/** Frames that know their index, and how many of all are open. */
function source({ broken = -1 } = {}) {
  const log = { passes: [] as number[][], open: 0 }
  const frame = (index: number): VideoFrame => {
    log.open++
    let closed = false
    const close = () => {
      if (!closed) log.open--
      closed = true
    }
    return { index, clone: () => frame(index), close } as unknown as VideoFrame
  }
  async function* frames(ranks: Iterable<number>) {
    log.passes.push([...ranks])
    for (const rank of ranks) yield rank === broken ? undefined : frame(rank)
  }
  return { log, source: { native: new Float64Array(10), frames } as unknown as VideoSource }
}

const indexOf = (frame: VideoFrame) => {
  frame.close()
  return (frame as unknown as { index: number }).index
}
const codeOf = (work: Promise<unknown>) =>
  work.then(
    () => 'none',
    (error: GlmError) => error.code,
  )

test('what is asked together is one pass forward; what is kept needs none', async () => {
  const { log, source: from } = source()
  const frames = new Frames(from)
  expect((await Promise.all([7, 3, 3, 5].map((index) => frames.frame(index)))).map(indexOf)).toEqual([7, 3, 3, 5])
  expect(log.passes).toEqual([[3, 5, 7]])
  expect(indexOf(await frames.frame(5))).toBe(5)
  expect(log.passes.length).toBe(1)
  expect(log.open).toBe(3)
  for (const index of [0, 1, 2, 4, 6]) indexOf(await frames.frame(index))
  expect(log.open).toBe(4)
  frames.close()
  expect(log.open).toBe(0)
})

test('what is asked during a pass comes in the next', async () => {
  const { log, source: from } = source()
  const frames = new Frames(from)
  const first = frames.frame(9)
  await Promise.resolve()
  await Promise.resolve()
  const second = frames.frame(1)
  expect([indexOf(await first), indexOf(await second)]).toEqual([9, 1])
  expect(log.passes).toEqual([[9], [1]])
  frames.close()
  expect(log.open).toBe(0)
})

test('a frame that cannot be decoded fails alone', async () => {
  const { log, source: from } = source({ broken: 4 })
  const frames = new Frames(from)
  const both = [codeOf(frames.frame(4)), frames.frame(6).then(indexOf)]
  expect(await Promise.all(both)).toEqual(['file_invalid', 6])
  const seen: number[] = []
  const all = (async () => {
    for await (const frame of frames.frames([2, 4, 6])) seen.push(indexOf(frame))
  })()
  expect([await codeOf(all), seen]).toEqual(['file_invalid', [2]])
  frames.close()
  expect(log.open).toBe(0)
})

test('closed, absent and aborted', async () => {
  const { log, source: from } = source()
  const frames = new Frames(from)
  expect(await codeOf(frames.frame(10))).toBe('request_invalid')
  expect(await codeOf(frames.frame(-1))).toBe('request_invalid')
  const stop = new AbortController()
  const work = codeOf(frames.frame(2, stop.signal))
  stop.abort()
  expect(await work).toBe('aborted')
  expect(await codeOf(frames.frame(2, stop.signal))).toBe('aborted')
  frames.close()
  expect(await codeOf(frames.frame(2))).toBe('closed')
  expect(log.open).toBe(0)
})

test('closing amid a pass ends it, and leaves no frame open', async () => {
  const { log, source: from } = source()
  const frames = new Frames(from)
  const work = [1, 2, 3].map((index) => codeOf(frames.frame(index).then(indexOf)))
  expect(await work[0]).toBe('none')
  frames.close()
  expect((await Promise.all(work)).at(-1)).toBe('closed')
  expect(log.open).toBe(0)
})
