// WebM as browsers and mediabunny write it today: what is read back must be what was written, to the millisecond.
import {
  AudioSample,
  AudioSampleSource,
  BufferTarget,
  Mp4OutputFormat,
  Output,
  VideoSample,
  VideoSampleSource,
  WebMOutputFormat,
} from 'mediabunny'
import { expect, test } from 'vitest'
import { openMedia } from '../../src/media/open.ts'
import { flashTime, onset } from './flash_beep.ts'

const RATE = 48000
const tone = (t: number) => (t >= 1 && t < 1.1 ? 0.5 * Math.sin(2 * Math.PI * 1000 * (t - 1)) : 0)

/** A frame that is white in [1, 1.1), with a corner that moves. */
function drawn(k: number, fps: number): OffscreenCanvas {
  const canvas = new OffscreenCanvas(64, 48)
  const context = canvas.getContext('2d')!
  const white = k / fps >= 1 - 1e-9 && k / fps < 1.1
  context.fillStyle = white ? 'white' : 'black'
  context.fillRect(0, 0, 64, 48)
  if (!white) {
    context.fillStyle = '#888'
    context.fillRect((k * 2) % 60, 0, 4, 4)
  }
  return canvas
}

const formats = [
  { name: 'WebM, VP9 and Opus', format: () => new WebMOutputFormat(), video: 'vp9', audio: 'opus' },
  { name: 'WebM, VP8 and Opus', format: () => new WebMOutputFormat(), video: 'vp8', audio: 'opus' },
  { name: 'MP4, H.264 and Opus', format: () => new Mp4OutputFormat(), video: 'avc', audio: 'opus' },
  { name: 'MP4, H.264 and PCM', format: () => new Mp4OutputFormat(), video: 'avc', audio: 'pcm-s16' },
] as const

for (const { name, format, video, audio } of formats) {
  test(`mediabunny writes ${name}`, async () => {
    const output = new Output({ format: format(), target: new BufferTarget() })
    const pictures = new VideoSampleSource({ codec: video, bitrate: 200_000, keyFrameInterval: 0.5 })
    const sound = new AudioSampleSource({ codec: audio, bitrate: 64_000 })
    output.addVideoTrack(pictures)
    output.addAudioTrack(sound)
    await output.start()
    for (let k = 0; k < 45; k++) {
      const sample = new VideoSample(drawn(k, 30), { timestamp: k / 30, duration: 1 / 30 })
      await pictures.add(sample)
      sample.close()
    }
    for (let at = 0; at < 1.5 * RATE; at += 4800) {
      const data = Float32Array.from({ length: 4800 }, (_, i) => tone((at + i) / RATE))
      const sample = new AudioSample({ data, format: 'f32', numberOfChannels: 1, sampleRate: RATE, timestamp: at / RATE })
      await sound.add(sample)
      sample.close()
    }
    await output.finalize()
    const media = await openMedia((output.target as BufferTarget).buffer!)
    const [flash, beep] = [await flashTime(media), onset(await media.audio!.decode(), media.audio!.sampleRate)]
    expect(Math.abs(flash - 1)).toBeLessThan(0.0006)
    expect(Math.abs(beep - flash)).toBeLessThan(0.001)
    media.close()
  })
}

/** Blocks of a WebM file that MediaRecorder wrote, by a reader of the test's own: track → times in ms. Each is first made `late` by so many. */
function blocksOf(bytes: Uint8Array, late: (track: number, k: number) => number = () => 0): Map<number, number[]> {
  const out = new Map<number, number[]>()
  const inside = new Set([0x18538067, 0x1f43b675, 0xa0])
  const number = (at: number, length: number) => bytes.subarray(at, at + length).reduce((value, byte) => value * 256 + byte, 0)
  const width = (at: number) => Math.clz32(bytes[at]!) - 23
  let [at, cluster] = [0, 0]
  while (at < bytes.length) {
    const [idLength, id] = [width(at), number(at, width(at))]
    const [sizeLength, from] = [width(at + idLength), at + idLength + width(at + idLength)]
    const size = number(at + idLength, sizeLength) - 2 ** (7 * sizeLength)
    if (id === 0xe7) cluster = number(from, size)
    if (id === 0xa3 || id === 0xa1) {
      const track = bytes[from]! & 127
      const time = number(from + 1, 2) + late(track, out.get(track)?.length ?? 0)
      bytes.set([(time >> 8) & 255, time & 255], from + 1)
      out.set(track, [...(out.get(track) ?? []), cluster + ((time << 16) >> 16)])
    }
    at = inside.has(id) ? from : from + size
  }
  return out
}

/** In Chromium; TypeScript does not know it. */
declare const MediaStreamTrackGenerator: { new (init: { kind: string }): MediaStreamTrack & { writable: WritableStream } }

test('MediaRecorder: packets as they were recorded', async () => {
  const [pictures, sound] = [new MediaStreamTrackGenerator({ kind: 'video' }), new MediaStreamTrackGenerator({ kind: 'audio' })]
  const [showing, playing] = [pictures.writable.getWriter(), sound.writable.getWriter()]
  const recorder = new MediaRecorder(new MediaStream([pictures, sound]), { mimeType: 'video/webm;codecs=vp8,opus' })
  const parts: Blob[] = []
  recorder.ondataavailable = ({ data }) => parts.push(data)
  const stopped = new Promise((resolve) => {
    recorder.onstop = resolve
  })
  recorder.start()
  const begun = performance.now()
  const micros = (seconds: number) => Math.round(begun * 1000 + seconds * 1e6)
  for (let [frame, block] = [0, 0]; block < 200; block++) {
    const at = block * 0.01
    while (performance.now() - begun < at * 1000) await new Promise((resolve) => setTimeout(resolve, 2))
    if (frame / 30 <= at) {
      await showing.write(new VideoFrame(drawn(frame, 30), { timestamp: micros(frame / 30) }))
      frame++
    }
    const data = Float32Array.from({ length: RATE / 100 }, (_, i) => tone(at + i / RATE))
    const { length: numberOfFrames } = data
    await playing.write(
      new AudioData({ format: 'f32', sampleRate: RATE, numberOfFrames, numberOfChannels: 1, timestamp: micros(at), data }),
    )
  }
  await new Promise((resolve) => setTimeout(resolve, 300))
  recorder.stop()
  await stopped
  const blob = new Blob(parts)
  const blocks = blocksOf(new Uint8Array(await blob.arrayBuffer()))
  const media = await openMedia(blob)
  const { video, audio: heard } = media
  const [shown, played] = [...blocks.entries()].sort(([a], [b]) => a - b).map(([, times]) => times)
  expect([media.muxer, Array.from(video!.native), Array.from(heard!.native)]).toEqual(['Chrome', shown, played])
  // What was fed with one clock is stamped by the recorder as it arrives, tens of ms apart: that is in the file. Ours must add nothing to it.
  const segments = await heard!.decode()
  const beep = onset(segments, heard!.sampleRate)
  console.log(
    'PLAYED',
    JSON.stringify(played),
    segments.length,
    segments.map(({ start, count }) => [start, count]),
    beep,
  )
  expect([segments.length, heard!.gaps]).toEqual([1, []])
  // Where its times jitter the sound begins at what most of them say.
  const said = played!.slice(0, 16).map((time, k) => time - 60 * k)
  const begins = [said[0]!, said.sort((a, b) => a - b)[(said.length - 1) >> 1]!]
  expect(Math.min(...begins.map((time) => Math.abs(beep - (time / 1000 + 1))))).toBeLessThan(0.001)
  const flash = await flashTime(media)
  expect(shown).toContain(Math.round(flash * 1000))
  media.close()
  const bytes = new Uint8Array(await blob.arrayBuffer())
  const sounding = [...blocks.keys()].find((track) => blocks.get(track) === played)!
  blocksOf(bytes, (track, k) => (track === sounding ? [0, 0, 9, 1, 0, 9, 0, 18][k % 8]! : 0))
  const jittered = await openMedia(bytes)
  expect(Array.from(jittered.audio!.native).slice(0, 3)).not.toEqual(played!.slice(0, 3))
  const again = await jittered.audio!.decode()
  expect([again.length, again[0]!.count, jittered.audio!.gaps]).toEqual([1, segments[0]!.count, []])
  expect(Math.abs(onset(again, jittered.audio!.sampleRate) - beep)).toBeLessThan(0.003)
  jittered.close()
})
