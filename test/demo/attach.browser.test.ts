// Pictures, videos and a camera in the chat, in Chromium, on a tiny random model that sees: what goes with a message, what it was given, and what comes back.
import { catalog, type Glm, loadGlm, openMedia, type ProfileName } from 'glm-webgpu'
import { afterAll, beforeAll, expect, inject, test, vi } from 'vitest'
import { userEvent } from 'vitest/browser'
import html from '../../demo/index.html?raw'
import '../../demo/style.css'
import '../../demo/chat.css'
import '../../demo/attach.css'

const fixtures = `${inject('server')}fixtures/`
let glm: Glm
let useModel: typeof import('../../demo/chat.ts').useModel
let framesOf: typeof import('../../demo/shown-steps.ts').framesOf
const urls = vi.spyOn(URL, 'createObjectURL')

beforeAll(async () => {
  document.body.innerHTML = /<body>([\s\S]*)<\/body>/.exec(html)![1]!
  const [{ startLanguage }, { startBanner }, { startPages }, chat, steps] = await Promise.all([
    import('../../demo/language.ts'),
    import('../../demo/banner.ts'),
    import('../../demo/pages.ts'),
    import('../../demo/chat.ts'),
    import('../../demo/shown-steps.ts'),
  ])
  useModel = chat.useModel
  framesOf = steps.framesOf
  location.hash = ''
  startLanguage(part('language'))
  startBanner()
  chat.startChat()
  startPages()
  Object.assign(part('temperature'), { value: '0' })
  Object.assign(part('max-tokens'), { value: '3' })
  glm = await loadGlm(`${fixtures}vision/glm46v/`, { weights: 'f32', context: 512, cache: 'none' })
})

afterAll(async () => {
  vi.restoreAllMocks()
  await glm?.close()
})

test('where the model sees nothing the button says so, offers those that do, and what is attached waits', async () => {
  loaded({ model: {} } as Glm, 'Blind')
  expect(part('attach').textContent).toBe('Blind sees no pictures')
  part('attach').click()
  expect(part('attach').ariaExpanded).toBe('true')
  expect(part('attach-blind').hidden).toBe(false)
  expect(part('attach-offers').contains(document.activeElement)).toBe(true)
  press(document.activeElement!, 'Escape')
  expect(part('attach-menu').hidden).toBe(true)
  expect(document.activeElement).toBe(part('attach'))
  choose(await file('wide.png'))
  await until(() => chips().length === 1 && !waiting())
  part('send').click()
  expect(questions()).toEqual([])
  expect(part('attach-news').textContent).toContain('Blind sees no pictures: take wide.png out')
  expect(part('attach-menu').hidden).toBe(false)
  loaded()
  expect(part('attach').textContent).toBe('Attach')
  expect(part('attach-blind').hidden).toBe(true)
  expect(part('attach-news').textContent).toBe('')
})

test('a picture stands in the message field, and goes by its button', () => {
  expect(chips().map((chip) => chip.querySelector('.told')!.textContent)).toEqual(['wide.png84 × 56'])
  const button = chips()[0]!.querySelector<HTMLButtonElement>('.remove')!
  expect(button.ariaLabel).toBe('Take out wide.png')
  button.click()
  expect(chips()).toEqual([])
  expect(document.activeElement).toBe(part('attach'))
})

test('pictures are pasted and dropped; text stays text, and other files are models', async () => {
  const dropped = dragged('drop', await file('tall.png'))
  expect(dropped.defaultPrevented).toBe(true)
  expect(part('drop').hidden).toBe(true)
  expect(pasted([await file('square.png')]).defaultPrevented).toBe(true)
  await until(() => chips().length === 2 && !waiting())
  expect(chips().map((chip) => chip.querySelector('.name')!.textContent)).toEqual(['tall.png', 'square.png'])
  expect(pasted([await file('wide.png')], 'a word').defaultPrevented).toBe(false)
  expect(dragged('drop', new File(['GGUF'], 'model.gguf')).defaultPrevented).toBe(false)
  expect(chips().length).toBe(2)
  for (const chip of chips()) chip.querySelector<HTMLElement>('.remove')!.click()
})

test('what is no picture is told by its name', async () => {
  choose(new File(['no picture'], 'bad.png', { type: 'image/png' }), new File(['no video'], 'bad.mp4', { type: 'video/mp4' }))
  await until(() => !waiting() && chips().length === 0)
  expect(part('banner').dataset.code).toBe('file_invalid')
  expect(part('banner-text').textContent).toMatch(/^bad\.mp4: .*\.$/)
  choose(new File([await (await fetch(`${fixtures}media/sound.mp3`)).blob()], 'sound.mp4', { type: 'video/mp4' }))
  await until(() => part('banner-text').textContent!.startsWith('sound.mp4: '))
  part('banner-close').click()
})

test('under a sent picture stands what the model was given; the second time it was seen before', async () => {
  choose(await file('wide.png'))
  await until(() => chips().length === 1 && !waiting())
  const told: string[] = []
  const watch = new MutationObserver(() => told.push(last('figures').textContent!))
  watch.observe(part('answers'), { subtree: true, childList: true, characterData: true })
  await ask('Only read this')
  watch.disconnect()
  expect(chips()).toEqual([])
  expect(last('question').textContent).toBe('You: Only read this')
  expect(last('shown-picture').textContent).toBe('wide.png · seen as 112 × 84 · 12 tokens')
  expect(last('shown').querySelector('canvas')!.ariaLabel).toBe('wide.png')
  expect(told).toContain('Reading pictures and frames…')
  expect(told.some((line) => line.startsWith('Looking…'))).toBe(true)
  expect(told.some((line) => /^Reading the prompt, \d+ tokens… 100%$/.test(line))).toBe(true)
  part('regenerate').click()
  await done()
  expect(questions().length).toBe(1)
  expect(last('shown-picture').textContent).toBe('wide.png · seen as 112 × 84 · 12 tokens · seen before')
})

test('a question after it has the picture still in its prompt', async () => {
  await ask('sound')
  expect(last('shown').hidden).toBe(true)
  expect(all('shown-picture').length).toBe(1)
})

test('a video has its length, a stretch that is checked, and its steps as the API tells them', async () => {
  part('clear').click()
  const video = await clip()
  choose(video)
  await until(() => chips().length === 1 && !waiting())
  const media = await openMedia(video)
  expect(chips()[0]!.textContent).toContain(`${Math.round(media.duration * 10) / 10} s`)
  const { axis } = (await media.timeline()).plan({ axis: { kind: 'model', profile: 'glm-4.6v' }, durationTolerance: Infinity })
  await ask('sound')
  expect(labels()).toEqual(axis.labels!.slice(0, 12))
  expect(last('shown-video').textContent).toMatch(/^clip\.webm · 0–[\d.]+ s · seen as \d+ × \d+ · steps of two frames: \d+ · \d+ tokens$/)
  const canvases = () => [...last('shown-steps').querySelectorAll('canvas')]
  await until(() => canvases().length === 2 * labels().length)
  await until(() => canvases().every(inked))

  part('clear').click()
  choose(video)
  await until(() => chips().length === 1 && !waiting())
  const [start, end] = [media.duration / 4, media.duration / 2]
  type('attached-start', String(end))
  type('attached-end', String(start))
  part('send').click()
  expect(questions()).toEqual([])
  expect((find('attached-end') as HTMLInputElement).validationMessage).toContain('end after the start')
  type('attached-start', String(start))
  type('attached-end', String(end))
  await ask('sound')
  for (const label of labels()) expect(Number.parseFloat(label)).toBeLessThan(end + 0.06)
  for (const label of labels()) expect(Number.parseFloat(label)).toBeGreaterThan(start - 0.06)
  const caption = last('shown-video').textContent!
  expect(caption).toContain(`${Math.round(start * 10) / 10}–${Math.round(end * 10) / 10} s`)
  media.close()
})

test('the frames of a step are those that the model was given', async () => {
  const media = await openMedia(await clip())
  const profile: ProfileName = 'glm-4.6v'
  const { axis } = (await media.timeline()).plan({ axis: { kind: 'model', profile }, durationTolerance: Infinity })
  const steps = [...axis.times].map((ticks) => ({ time: ticks / 705_600_000 }))
  expect(framesOf(media, {}, steps, profile).flat()).toEqual([...axis.frames!])
  // Times that no rule makes: the frame at each.
  expect(framesOf(media, {}, [{ time: 0 }, { time: 1e9 }], profile)).toEqual([[0], [media.video!.times.length - 1]])
  media.close()
})

test('of a long video some steps are shown, and more when asked', async () => {
  const { createSteps } = await import('../../demo/shown-steps.ts')
  const frames = Array.from({ length: 60 }, () => Object.assign(document.createElement('canvas'), { width: 8, height: 6 }))
  const times = frames.map((_, i) => i / 2)
  const item = { kind: 'video', name: 'long', source: { frames, times }, width: 8, height: 6, thumb: frames[0]!, duration: 30 } as const
  const steps = Array.from({ length: 30 }, (_, k) => ({ time: k, label: `${k}.0 seconds`, tokens: 4 }))
  const { element } = createSteps(item, steps, 'glm-4.6v', new AbortController().signal)
  const more = element.querySelector('button')!
  expect([element.querySelectorAll('li').length, more.textContent, more.hidden]).toEqual([12, 'More steps: 18', false])
  more.click()
  expect([element.querySelectorAll('li').length, element.querySelectorAll('canvas').length, more.hidden]).toEqual([30, 60, true])
})

test('stopped before the answer began, words and pictures are in the message field again', async () => {
  part('clear').click()
  choose(await file('large.png'))
  await until(() => chips().length === 1 && !waiting())
  say('Only read this')
  part('send').click()
  expect(part('stop').hidden).toBe(false)
  expect(chips()).toEqual([])
  part('stop').click()
  await idle()
  expect(questions()).toEqual([])
  expect(prompt().value).toBe('Only read this')
  expect(chips().map((chip) => chip.querySelector('.name')!.textContent)).toEqual(['large.png'])
  expect(chips()[0]!.querySelector('canvas')).not.toBeNull()
  expect(part('attach-news').textContent).toBe('Stopped before the answer began: your message is here again.')
  await ask(prompt().value)
  expect(last('shown-picture').textContent).toContain('large.png · seen as')
})

test.each(['Looking', 'Reading the prompt'])('stopped at "%s…", they are there again too', async (doing) => {
  part('clear').click()
  // One that was not seen before.
  const canvas = new OffscreenCanvas(200, 100 + doing.length)
  canvas.getContext('2d')!.fillRect(0, 0, 100, 50)
  choose(new File([await canvas.convertToBlob()], 'fresh.png', { type: 'image/png' }))
  await until(() => chips().length === 1 && !waiting())
  const watch = new MutationObserver(() => {
    if (last('figures')?.textContent?.startsWith(doing)) part('stop').click()
  })
  watch.observe(part('answers'), { subtree: true, childList: true, characterData: true })
  say('Only read this')
  part('send').click()
  await until(() => chips().length === 1)
  watch.disconnect()
  expect(questions()).toEqual([])
  expect(prompt().value).toBe('Only read this')
  await ask('sound')
})

test('an empty chat says in a line what a model of the catalog is; one that came with the page leads to the larger ones', () => {
  part('clear').click()
  loaded()
  expect(part('about').hidden).toBe(true)
  for (const [key, link] of [
    ['pocket', '#models'],
    ['glm-edge-1.5b-chat', undefined],
  ] as const) {
    loaded(glm, 'Tiny', key)
    expect(part('about').hidden).toBe(false)
    expect(part('about').textContent!.length).toBeGreaterThan(40)
    expect(part('about').querySelector('a')?.getAttribute('href')).toBe(link)
  }
  loaded()
})

test('an example brings what it is about: a clip with its times', async () => {
  part('clear').click()
  loaded(glm, 'Tiny', 'pocket-v')
  const clips = all('suggestion').filter((one) => one.querySelector('.clip'))
  expect(clips.length).toBeGreaterThan(1)
  clips[0]!.click()
  await until(() => questions().length === 1)
  await done()
  expect(last('question').textContent).toBe('You: When does the red circle appear?')
  expect(labels()).toEqual([0, 1, 2, 3, 4, 5].map((time) => `${time}.0 seconds`))
  const canvases = [...last('shown-steps').querySelectorAll('canvas')]
  expect(canvases.length).toBe(12)
  const red = canvases.map((one) => reddish(one))
  expect(red).toEqual([...Array(6).fill(false), ...Array(6).fill(true)])
  loaded()
})

test('the end of the answer stands above the prompt, also where a strip holds the bottom of the screen', async () => {
  part('clear').click()
  document.documentElement.style.setProperty('--strip', '120px')
  for (let turn = 0; turn < 8; turn++) await ask('sound')
  const prompt = part('composer').getBoundingClientRect()
  expect(prompt.bottom).toBeLessThanOrEqual(innerHeight - 119) // it is stuck there
  expect(part('answers').lastElementChild!.getBoundingClientRect().bottom).toBeLessThanOrEqual(prompt.top)
  document.documentElement.style.removeProperty('--strip')
})

test('failed before the answer began, they are there again, and the error is told', async () => {
  part('clear').click()
  choose(await file('wide.png'))
  await until(() => chips().length === 1 && !waiting())
  const long = 'sound language '.repeat(400)
  say(long)
  part('send').click()
  await until(() => !part('banner').hidden)
  await idle()
  expect(part('banner').dataset.code).toBe('prompt_too_long')
  expect(questions()).toEqual([])
  expect(prompt().value).toBe(long.trim())
  expect(chips().length).toBe(1)
  part('banner-close').click()
  await ask('sound')
  expect(all('shown-picture').length).toBe(1)
})

test('an answer that was begun stays when it is stopped', async () => {
  part('clear').click()
  Object.assign(part('max-tokens'), { value: '400' })
  choose(await file('wide.png'))
  await until(() => chips().length === 1 && !waiting())
  say('sound')
  part('send').click()
  await until(() => (last('answer-text')?.textContent ?? '') !== '')
  part('stop').click()
  await idle()
  Object.assign(part('max-tokens'), { value: '3' })
  expect(questions().length).toBe(1)
  expect(chips()).toEqual([])
  expect(prompt().value).toBe('')
})

test('a model that sees nothing goes on with the words of a conversation that shows something', async () => {
  const asked: unknown[] = []
  const create = async ({ messages }: { messages: unknown }) => {
    asked.push(messages)
    return (async function* () {
      yield { choices: [{ delta: { content: 'Yes.' }, finish_reason: 'stop' }] }
    })()
  }
  loaded({ model: {}, chat: { completions: { create } } } as unknown as Glm, 'Blind')
  await ask('And now?')
  const sent = asked[0] as { content: unknown }[]
  expect(sent.map(({ content }) => typeof content)).toEqual(['string', 'string', 'string'])
  loaded()
})

test('a still of the camera is a picture; the device is given back when the panel closes, by key or by page', async () => {
  part('clear').click()
  const stopped = vi.spyOn(MediaStreamTrack.prototype, 'stop')
  part('attach').click()
  part('attach-camera').click()
  expect(part('live').hidden).toBe(false)
  const take = part('live-take')
  await until(() => !take.disabled)
  const video = part('live-video') as unknown as HTMLVideoElement
  await until(() => video.videoWidth > 0 && video.readyState >= 2)
  const [track] = (video.srcObject as MediaStream).getTracks()
  take.click()
  await until(() => chips().length === 1 && !waiting())
  expect(chips()[0]!.textContent).toContain('Camera 1.png')
  expect(chips()[0]!.textContent).toContain(`${video.videoWidth} × ${video.videoHeight}`)
  press(take, 'Escape')
  expect(part('live').hidden).toBe(true)
  expect(video.srcObject).toBeNull()
  expect(track!.readyState).toBe('ended')
  part('attach').click()
  part('attach-camera').click()
  await until(() => !take.disabled)
  const before = stopped.mock.calls.length
  location.hash = '#models'
  await until(() => part('live').hidden === true)
  expect(stopped.mock.calls.length).toBeGreaterThan(before)
  location.hash = ''
  await until(() => !part('chat-page').hidden)
  await ask('sound')
  expect(last('shown-picture').textContent).toMatch(/^Camera 1\.png · seen as \d+ × \d+ · \d+ tokens$/)
})

test('a still of the screen is one too', async () => {
  part('clear').click()
  part('attach').click()
  await userEvent.click(part('attach-screen')) // a screen is shared by a real click only
  await until(() => !part('live-take').disabled)
  const video = part('live-video') as unknown as HTMLVideoElement
  await until(() => video.videoWidth > 0 && video.readyState >= 2)
  part('live-take').click()
  await until(() => chips().length === 1 && !waiting())
  expect(chips()[0]!.textContent).toContain('Screen 2.png')
  part('live-close').click()
  expect(video.srcObject).toBeNull()
  chips()[0]!.querySelector<HTMLElement>('.remove')!.click()
})

test('every step by keys: the menu, its choices, back out', async () => {
  part('attach').focus()
  await userEvent.keyboard('{Enter}')
  expect(document.activeElement).toBe(part('attach-pick'))
  await userEvent.keyboard('{Tab}')
  expect(document.activeElement).toBe(part('attach-camera'))
  await userEvent.keyboard('{Tab}')
  expect(document.activeElement).toBe(part('attach-screen'))
  await userEvent.keyboard('{Escape}')
  expect(document.activeElement).toBe(part('attach'))
  expect(part('attach-menu').hidden).toBe(true)
})

test('both languages', async () => {
  choose(await file('wide.png'))
  await until(() => chips().length === 1 && !waiting())
  await ask('sound')
  choose(await file('wide.png'))
  await until(() => chips().length === 1 && !waiting())
  part('language').click()
  expect(part('attach').textContent).toBe('附件')
  expect(chips()[0]!.querySelector<HTMLElement>('.remove')!.ariaLabel).toBe('移除 wide.png')
  expect(last('shown-picture').textContent).toContain('个词元')
  part('language').click()
  chips()[0]!.querySelector<HTMLElement>('.remove')!.click()
})

test('no address of a picture was made that would have to be taken back', () => {
  expect(urls).not.toHaveBeenCalled()
})

function loaded(one = glm, title = 'Tiny', key = title): void {
  const entry = catalog.find(({ id }) => id === key)
  useModel({ glm: one, title, choice: { key, model: title, title, entry }, options: {}, cached: false } as Parameters<typeof useModel>[0])
}

async function file(name: string): Promise<File> {
  const blob = await (await fetch(`${fixtures}vision/pictures/${name}`, { cache: 'no-store' })).blob()
  return new File([blob], name, { type: 'image/png' })
}

async function clip(): Promise<File> {
  const blob = await (await fetch(`${fixtures}media/vp8-vorbis.webm`, { cache: 'no-store' })).blob()
  return new File([blob], 'clip.webm', { type: 'video/webm' })
}

function given(files: File[]): DataTransfer {
  const all = new DataTransfer()
  for (const one of files) all.items.add(one)
  return all
}

function choose(...files: File[]): void {
  const input = part('attach-files') as unknown as HTMLInputElement
  input.files = given(files).files
  input.dispatchEvent(new Event('change'))
}

function dragged(type: string, ...files: File[]): DragEvent {
  const event = new DragEvent(type, { dataTransfer: given(files), bubbles: true, cancelable: true })
  // What is no picture is left to the page's own listener, which is not started here.
  part('chat-page').dispatchEvent(event)
  return event
}

function pasted(files: File[], text?: string): ClipboardEvent {
  const clipboardData = given(files)
  if (text) clipboardData.setData('text/plain', text)
  const event = new ClipboardEvent('paste', { clipboardData, bubbles: true, cancelable: true })
  prompt().dispatchEvent(event)
  return event
}

async function ask(question: string): Promise<void> {
  say(question)
  part('send').click()
  await done()
}

function say(question: string): void {
  prompt().value = question
}

/** Ends with an answer; anything else is shown. */
async function done(): Promise<void> {
  await idle()
  if (!part('banner').hidden) throw new Error(part('banner-text').textContent!)
  expect(last('answer').dataset.state).toBe('done')
}

const idle = () => until(() => part('answers').dataset.state === 'idle')
const prompt = () => part('prompt') as unknown as HTMLTextAreaElement
const chips = () => [...part('attached').children] as HTMLElement[]
const waiting = () => find('attached-waiting') !== null
const all = (testid: string) => [...document.querySelectorAll<HTMLElement>(`[data-testid="${testid}"]`)]
const last = (testid: string) => all(testid).at(-1)!
const find = (testid: string) => document.querySelector<HTMLElement>(`[data-testid="${testid}"]`)
const questions = () => all('question')
const labels = () => [...last('shown-steps').querySelectorAll('[data-testid="shown-label"]')].map((one) => one.textContent!)

function part(id: string): HTMLButtonElement {
  return document.getElementById(id) as HTMLButtonElement
}

function press(element: Element, key: string): void {
  element.dispatchEvent(new KeyboardEvent('keydown', { key, bubbles: true, cancelable: true }))
}

function type(testid: string, value: string): void {
  const field = find(testid) as HTMLInputElement
  field.value = value
  field.dispatchEvent(new Event('input', { bubbles: true }))
}

function reddish(canvas: HTMLCanvasElement): boolean {
  const { data } = canvas.getContext('2d')!.getImageData(0, 0, canvas.width, canvas.height)
  return data.some((value, i) => i % 4 === 0 && value > 180 && data[i + 1]! < 90)
}

function inked(canvas: HTMLCanvasElement): boolean {
  const { data } = canvas.getContext('2d')!.getImageData(0, 0, canvas.width, canvas.height)
  return data.some((value, i) => i % 4 === 3 && value > 0)
}

async function until(holds: () => boolean, most = 60_000): Promise<void> {
  const end = performance.now() + most
  while (!holds()) {
    if (performance.now() > end) throw new Error(`It did not come about: ${holds}`)
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}
