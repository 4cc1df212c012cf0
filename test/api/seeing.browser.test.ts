// Pictures and videos in the public API, in real Chromium: the built package, its worker and the bundles that it fetches for a model that sees.
import { type ChatChunk, type ChatCompletion, type ContentPart, type Glm, loadGlm, openMedia, planModel, Timeline } from 'glm-webgpu'
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'

const fixtures = `${inject('server')}fixtures/vision/`
const blob = async (path: string) => (await fetch(`${fixtures}pictures/${path}`, { cache: 'no-store' })).blob()

describe('a model that sees', () => {
  let glm: Glm
  beforeAll(async () => {
    glm = await loadGlm(`${fixtures}glm46v/`, { weights: 'f32', context: 512, cache: 'none' })
  })
  afterAll(() => glm?.close())

  const ask = (content: ContentPart[], more = {}) =>
    glm.chat.completions.create({ messages: [{ role: 'user', content }], temperature: 0, max_tokens: 8, ...more })
  const question = { type: 'text', text: 'Only read this sound language?' } as const

  it('tells what it sees', () => {
    const bounds = { picture: [12544, 25088], video: [12544, 60000] }
    expect(glm.model.sees).toEqual({ picture: true, video: true, profile: 'glm-4.6v', sizes: { profile: 'glm-4.6v', bounds, step: 16 } })
  })

  it('a picture as a file, an address, a data URL, a bitmap and a canvas gives the same answer', async () => {
    const file = await blob('wide.png')
    const bitmap = await createImageBitmap(file)
    const canvas = new OffscreenCanvas(bitmap.width, bitmap.height)
    canvas.getContext('2d')!.drawImage(bitmap, 0, 0)
    const data = await new Promise<string>((resolve) => {
      const reader = new FileReader()
      reader.onload = () => resolve(reader.result as string)
      reader.readAsDataURL(file)
    })
    const parts: ContentPart[] = [
      { type: 'image', image: file },
      { type: 'image_url', image_url: { url: `${fixtures}pictures/wide.png` } },
      { type: 'image_url', image_url: { url: data } },
      { type: 'image', image: bitmap },
      { type: 'image', image: canvas },
    ]
    const answers = []
    for (const part of parts) answers.push(await ask([part, question]))
    expect(new Set(answers.map(({ choices }) => choices[0].message.content)).size).toBe(1)
    expect(answers.map(({ seen }) => seen![0]!.cached)).toEqual([false, true, true, true, true])
    expect(answers[0]!.seen![0]).toEqual({ type: 'picture', width: 112, height: 84, tokens: 12, cached: false })
    expect(answers[0]!.usage.prompt_tokens_details).toMatchObject({ image_tokens: 12, video_tokens: 0 })
    expect(bitmap.width).toBeGreaterThan(0) // still the caller's
  })

  it('a video of frames is told with its labels, on the first chunk of a stream', async () => {
    const frames = await Promise.all([0, 1, 2, 3, 4].map((i) => blob(`move-${i}.png`)))
    const video = { frames, times: [0, 1.24, 2.48, 3.72, 4.96] }
    const looked: number[] = []
    const read: number[] = []
    const stream = await glm.chat.completions.create(
      { messages: [{ role: 'user', content: [{ type: 'video', video }, question] }], stream: true, temperature: 0, max_tokens: 2 },
      { onSeeing: ({ loaded, total }) => looked.push(loaded / total), onReading: ({ loaded, total }) => read.push(loaded / total) },
    )
    const chunks: ChatChunk[] = []
    for await (const chunk of stream) chunks.push(chunk)
    expect(chunks[0]!.seen![0]!.steps!.map(({ label }) => label)).toEqual(['0.0 seconds', '2.5 seconds', '5.0 seconds'])
    expect(chunks.slice(1).some((chunk) => 'seen' in chunk)).toBe(false)
    expect([looked.at(-1), read.at(-1)]).toEqual([1, 1])
  })

  it('a timeline is sampled by the rule of the model', async () => {
    const frames = Array.from({ length: 8 }, (_, i) => ({
      format: 'RGBA' as const,
      width: 64,
      height: 48,
      data: new Uint8Array(64 * 48 * 4).fill(30 * i),
    }))
    const timeline = new Timeline().video('camera', { frames, fps: 4 })
    const { seen } = await ask([{ type: 'timeline', timeline }, question])
    const { axis } = timeline.plan({ axis: { kind: 'model', profile: 'glm-4.6v' } })
    expect(seen![0]!.steps!.map(({ label }) => label)).toEqual(axis.labels)
    expect(frames[0]!.data.length).toBe(64 * 48 * 4) // still the caller's
  })

  it('a video file is sampled by the rule of the model; fps, start and end take a part of it', async () => {
    const file = `${inject('server')}fixtures/media/vp8-vorbis.webm`
    const media = await openMedia(file)
    const { axis } = (await media.timeline()).plan({ axis: { kind: 'model', profile: 'glm-4.6v' }, durationTolerance: Infinity })
    const steps = ({ seen }: ChatCompletion) => seen![0]!.steps!
    const whole = await ask([{ type: 'video', video: file }, question], { max_tokens: 1 })
    expect(steps(whole).map(({ label }) => label)).toEqual(axis.labels)
    const [start, end] = [media.duration / 4, media.duration / 2]
    const blob = await (await fetch(file, { cache: 'no-store' })).blob()
    const part = await ask([{ type: 'video', video: blob, fps: 4 / (end - start), start, end }, question], { max_tokens: 1 })
    expect(steps(part).length).toBe(2)
    for (const { time } of steps(part)) expect(time >= start && time < end).toBe(true)
    media.close()
  })

  it('refuses sound, unknown parts and broken pictures with a code, and goes on', async () => {
    const codeOf = (content: unknown) =>
      ask(content as ContentPart[]).then(
        () => 'none',
        ({ code }) => code,
      )
    expect(await codeOf([{ type: 'input_audio', input_audio: { data: '', format: 'wav' } }])).toBe('messages_invalid')
    expect(await codeOf([{ type: 'hologram' }])).toBe('messages_invalid')
    expect(await codeOf([{ type: 'image', image: new Blob(['no picture']) }])).toBe('file_invalid')
    expect(await codeOf([{ type: 'image_url', image_url: { url: `${fixtures}pictures/none.png` } }])).toBe('file_missing')
    expect((await ask([question])).seen).toBeUndefined()
  })

  it('an abort while pictures are read or seen ends the call', async () => {
    const controller = new AbortController()
    const call = glm.chat.completions.create(
      { messages: [{ role: 'user', content: [{ type: 'image', image: await blob('large.png') }, question] }] },
      { signal: controller.signal },
    )
    controller.abort()
    await expect(call).rejects.toMatchObject({ code: 'aborted' })
  })
})

it('a model that sees nothing refuses pictures in a sentence', async () => {
  const glm = await loadGlm('pocket')
  const content: ContentPart[] = [{ type: 'image', image: await blob('wide.png') }]
  await expect(glm.chat.completions.create({ messages: [{ role: 'user', content }] })).rejects.toMatchObject({
    code: 'messages_invalid',
    message: expect.stringContaining('sees no pictures'),
  })
  await glm.close()
})

describe('the embedded model that sees', () => {
  it('loads by its name, as it comes and in other formats, and says what it was shown', async () => {
    const image = new OffscreenCanvas(112, 112)
    const context = image.getContext('2d')!
    context.fillStyle = 'white'
    context.fillRect(0, 0, 112, 112)
    context.fillStyle = 'red'
    context.fillRect(40, 40, 30, 30)
    const content: ContentPart[] = [
      { type: 'image', image },
      { type: 'text', text: 'What is there?' },
    ]
    for (const options of [{}, { weights: 'q8', visionWeights: 'f16', kv: 'f32' }] as const) {
      const glm = await loadGlm('pocket-v', options)
      expect(glm.model).toMatchObject({ id: 'pocket-v', family: 'glm46v', sees: { picture: true, video: true, profile: 'glm-4.6v' } })
      const { seen, usage } = await glm.chat.completions.create({ messages: [{ role: 'user', content }], max_tokens: 4 })
      expect(seen).toEqual([{ type: 'picture', width: 112, height: 112, tokens: 16, cached: false }])
      expect(usage.prompt_tokens_details).toMatchObject({ image_tokens: 16 })
      await glm.close()
    }
  })

  it('is planned with its tower', async () => {
    const { gpu, fits, verdict } = await planModel('pocket-v')
    expect(fits, verdict).toBe(true)
    expect(gpu.seeing).toBeGreaterThan(2 ** 27)
  })
})
