// How much of a file is read, by whom, and what damage does to it.
import {
  BufferTarget,
  EncodedAudioPacketSource,
  EncodedPacket,
  EncodedVideoPacketSource,
  Mp4OutputFormat,
  Output,
  WebMOutputFormat,
} from 'mediabunny'
import { expect, inject, test } from 'vitest'
import { GlmError } from '../../src/errors.ts'
import { openMedia } from '../../src/media/open.ts'

const bytesOf = async (name: string) => new Uint8Array(await (await fetch(`${inject('server')}fixtures/media/${name}`)).arrayBuffer())

/** A server of one file that knows ranges and counts what it sends. */
function served(file: Uint8Array, ranges = true) {
  const log = { sent: 0, requests: 0, headers: [] as (string | null)[] }
  const answer: typeof fetch = async (_, init) => {
    const headers = new Headers(init?.headers)
    const [, first, last] = /^bytes=(\d+)-(\d+)$/.exec(headers.get('range') ?? '')!.map(Number)
    const body = ranges ? file.slice(first, last! + 1) : file.slice()
    log.sent += body.length
    log.requests++
    log.headers.push(headers.get('authorization'))
    const range = { 'content-range': `bytes ${first}-${first! + body.length - 1}/${file.length}` }
    return new Response(body, { status: ranges ? 206 : 200, headers: ranges ? range : {} })
  }
  return { log, fetch: answer }
}

/** Two minutes of large packets that nobody decodes. */
async function large(format: Mp4OutputFormat | WebMOutputFormat) {
  const output = new Output({ format, target: new BufferTarget() })
  const isMp4 = format instanceof Mp4OutputFormat
  const video = new EncodedVideoPacketSource('vp9')
  const audio = new EncodedAudioPacketSource('opus')
  output.addVideoTrack(video)
  output.addAudioTrack(audio)
  await output.start()
  const decoderConfig = { codec: 'vp09.00.10.08', codedWidth: 64, codedHeight: 48, colorSpace: {} }
  const description = new Uint8Array([...new TextEncoder().encode('OpusHead'), 1, 1, 0x38, 1, 0x80, 0xbb, 0, 0, 0, 0, 0])
  const opus = { codec: 'opus', sampleRate: 48000, numberOfChannels: 1, description }
  for (let k = 0; k < 1200; k++) {
    const data = new Uint8Array(6000).fill(k)
    await video.add(new EncodedPacket(data, k % 100 === 0 ? 'key' : 'delta', k / 10, 0.1), { decoderConfig })
    for (let i = 0; i < 5; i++)
      await audio.add(new EncodedPacket(new Uint8Array(60).fill(8), 'key', k / 10 + i / 50, 0.02), { decoderConfig: opus })
  }
  await output.finalize()
  expect(isMp4).toBe(format instanceof Mp4OutputFormat)
  return new Uint8Array((output.target as BufferTarget).buffer!)
}

test('a plan of an MP4 reads its index alone; WebM has none of every packet, and is read to its end', async () => {
  const share: number[] = []
  for (const format of [
    new Mp4OutputFormat({ fastStart: 'in-memory' }),
    new Mp4OutputFormat({ fastStart: false }),
    new WebMOutputFormat(),
  ]) {
    const file = await large(format)
    const { log, fetch } = served(file)
    const media = await openMedia('http://example.test/large', { fetch, headers: { authorization: 'x' } })
    const timeline = await media.timeline()
    const plan = timeline.plan({ axis: { kind: 'track', id: 'video' } })
    expect(plan.axis.times.length).toBe(1200)
    expect(new Set(log.headers)).toEqual(new Set(['x']))
    share.push(log.sent / file.length)
    media.close()
  }
  expect(share[0]).toBeLessThan(0.15)
  expect(share[1]).toBeLessThan(0.15)
  expect(share[2]).toBeLessThan(1.2)
})

test('a long list of packets lets others in between', async () => {
  const [short, long] = [await silence(100), await silence(20_000)]
  await turnsDuring(() => openMedia(short))
  const [few, many] = [await turnsDuring(() => openMedia(short)), await turnsDuring(() => openMedia(long))]
  expect(many - few).toBeGreaterThanOrEqual(9)
})

/** Packets of 20 ms that nobody decodes. */
async function silence(packets: number): Promise<Uint8Array> {
  const output = new Output({ format: new Mp4OutputFormat(), target: new BufferTarget() })
  const audio = new EncodedAudioPacketSource('opus')
  output.addAudioTrack(audio)
  await output.start()
  const decoderConfig = { codec: 'opus', sampleRate: 48000, numberOfChannels: 1 }
  for (let k = 0; k < packets; k++) await audio.add(new EncodedPacket(new Uint8Array(3).fill(8), 'key', k / 50, 0.02), { decoderConfig })
  await output.finalize()
  return new Uint8Array((output.target as BufferTarget).buffer!)
}

/** Tasks of others that ran meanwhile: one message sends the next. */
async function turnsDuring(work: () => Promise<{ close(): void }>): Promise<number> {
  const { port1, port2 } = new MessageChannel()
  let turns = 0
  port1.onmessage = () => {
    turns++
    port2.postMessage(0)
  }
  port2.postMessage(0)
  const media = await work()
  port1.close()
  media.close()
  return turns
}

test('a server without ranges gives the whole file once', async () => {
  const file = await bytesOf('h264-aac.mp4')
  const { log, fetch } = served(file, false)
  const media = await openMedia('http://example.test/x', { fetch })
  expect((await media.audio!.decode()).length).toBe(1)
  expect(log.requests).toBe(1)
  media.close()
})

test('a failed request is tried again, and the third failure told', async () => {
  const file = await bytesOf('h264-aac.mp4')
  const { fetch } = served(file)
  let failures = 2
  const flaky: typeof globalThis.fetch = (input, init) => (failures-- > 0 ? Promise.reject(new TypeError('gone')) : fetch(input, init))
  ;(await openMedia('http://example.test/x', { fetch: flaky })).close()
  failures = 3
  await expect(openMedia('http://example.test/x', { fetch: flaky })).rejects.toMatchObject({ code: 'network_failed' })
})

test('a worker opens files, too', async () => {
  const worker = new Worker(new URL('./open_worker.ts', import.meta.url), { type: 'module' })
  const answer = new Promise((resolve, reject) => {
    worker.onmessage = ({ data }) => resolve(data)
    worker.onerror = reject
  })
  worker.postMessage(await bytesOf('h264-aac.mp4'))
  expect(await answer).toEqual(['MP4', 45, 64, 25024])
  worker.terminate()
})

/** Numbers that are the same in every run. */
function numbers(seed: number) {
  let state = seed
  return (below: number) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return Math.floor((state / 2 ** 32) * below)
  }
}

const frail = [
  'h264-aac.mp4',
  'h264-opus.mp4',
  'h264-aac-fragmented.mp4',
  'h264-aac.mpegts',
  'h264-aac.mkv',
  'vp9-opus.webm',
  'sound.mp3',
  'sound-vorbis.ogg',
  'sound.flac',
  'sound.wav',
]
for (const [k, name] of frail.entries()) {
  test(`${name}: damage gives a result or an error of ours, in bounded time`, async () => {
    const file = await bytesOf(name)
    const next = numbers(k + 1)
    const seen: Record<string, number> = {}
    let slowest = 0
    for (let round = 0; round < 40; round++) {
      const bytes = file.slice()
      // Half of the damage goes to the head, where the lengths and counts are.
      for (let flips = 1 + next(4); flips > 0; flips--)
        bytes[next(next(2) ? file.length : Math.min(1500, file.length))] = [0, 255, next(256), 128][next(4)]!
      const begun = performance.now()
      const outcome = await tried(bytes)
      slowest = Math.max(slowest, performance.now() - begun)
      seen[outcome] = (seen[outcome] ?? 0) + 1
    }
    expect(Object.keys(seen).filter((one) => !['result', 'file_invalid', 'file_truncated'].includes(one))).toEqual([])
    expect(slowest).toBeLessThan(8000)
  })
}

async function tried(bytes: Uint8Array): Promise<string> {
  try {
    const media = await openMedia(bytes)
    try {
      const timeline = await media.timeline({ sound: true })
      timeline.plan({ axis: { kind: 'uniform', rate: 10, count: 20, start: 0 } as never })
      if (media.video) (await media.video.pixels(Math.min(5, media.video.times.length - 1))).data.slice(0, 1)
      return 'result'
    } finally {
      media.close()
    }
  } catch (error) {
    return error instanceof GlmError ? error.code : `not ours: ${(error as Error)?.stack}`
  }
}
