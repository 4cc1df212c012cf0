// The timeline page in Chromium, on the clip that it records itself and on fake devices: what is shown is what the plan says.
import { importPlan, type Plan, parseCues, TICKS_PER_SECOND } from 'glm-webgpu'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { userEvent } from 'vitest/browser'
import html from '../../demo/index.html?raw'
import '../../demo/style.css'
import '../../demo/timeline.css'
import '../../demo/timeline-lanes.css'

const made: Blob[] = []
const revoked: string[] = []

beforeAll(async () => {
  document.body.innerHTML = /<body>([\s\S]*)<\/body>/.exec(html)![1]!
  const create = URL.createObjectURL
  vi.spyOn(URL, 'createObjectURL').mockImplementation((blob) => {
    made.push(blob as Blob)
    return create.call(URL, blob)
  })
  vi.spyOn(URL, 'revokeObjectURL').mockImplementation((url) => void revoked.push(url))
  // A download would leave the test's page.
  vi.spyOn(HTMLAnchorElement.prototype, 'click').mockImplementation(() => {})
  const [{ startLanguage }, { startBanner }, { startPages }, { startTimeline }] = await Promise.all([
    import('../../demo/language.ts'),
    import('../../demo/banner.ts'),
    import('../../demo/pages.ts'),
    import('../../demo/timeline.ts'),
  ])
  location.hash = '#timeline'
  startLanguage(part('language'))
  startBanner()
  startTimeline()
  startPages()
})

afterAll(() => {
  location.hash = ''
  vi.restoreAllMocks()
})

test('an empty page offers an example', () => {
  expect(part('timeline-page').dataset.state).toBe('empty')
  expect(part('timeline-work').hidden).toBe(true)
})

test('the example becomes lanes, and a plan whose cells are those told', async () => {
  await userEvent.click(part('timeline-example')) // sound starts by a real click only
  await until(() => lanes().length === 4)
  expect(lanes()).toEqual(['video', 'audio', 'captions', 'events'])
  const plan = await exported()
  expect(plan.axis.times.length).toBeGreaterThan(35)
  expect(part('timeline-page').dataset.cells).toBe(String(plan.axis.times.length))
  expect(plan.axis.rate).toEqual({ num: 10, den: 1 })
  expect(text('missing-video')).toBe(String(plan.report.tracks.video!.missing))
  expect(text('max-audio')).toContain(plan.report.tracks.audio!.error.max === 0 ? '0 ms' : 'ms')
})

test('drawn at the pixels of the screen, with pictures, a waveform and cells', async () => {
  const canvas = document.querySelector<HTMLCanvasElement>('[data-testid="lane-video"] canvas')!
  expect(canvas.width).toBe(Math.round(canvas.clientWidth * devicePixelRatio))
  await until(() => colorsOf(canvas).size > 100) // the ball and the digits have come
  const sound = document.querySelector<HTMLCanvasElement>('[data-testid="lane-audio"] canvas')!
  await until(() => inked(sound, 0.1) > 20)
  const { clientHeight } = sound
  await until(() => sound.clientHeight > clientHeight) // the GPU's mel has come, on a software adapter after seconds
})

test('a cell is told with what serves it: keys go from cell to cell', async () => {
  const plan = await exported()
  const ruler = part('timeline-ruler')
  press(ruler, 'Home')
  press(ruler, 'ArrowRight', 3)
  expect(part('timeline-cell').dataset.cell).toBe('3')
  const error = (plan.tracks.video!.error[3]! / TICKS_PER_SECOND) * 1000
  const told = row('video')
  expect(told[0]).toBe(plan.tracks.video!.mask[3] ? `frame ${plan.tracks.video!.index[3]}` : 'missing')
  if (plan.tracks.video!.mask[3]) expect(Number.parseFloat(told[2]!.replace('−', '-'))).toBeCloseTo(error, 1)
  expect(ruler.ariaValueText).toContain('Cell 3')
  press(ruler, 'End')
  expect(Number(ruler.ariaValueNow)).toBeGreaterThan(3.5)
  press(ruler, '+', 3)
  expect(part('timeline-scroll-row').hidden).toBe(false)
  press(ruler, '0')
  expect(part('timeline-scroll-row').hidden).toBe(true)
})

test('an offset by keys moves every error by as much', async () => {
  choose('policy-events', 'nearest')
  const before = (await exported()).tracks.events!
  const handle = find('handle-events')
  handle.focus()
  press(handle, 'ArrowRight')
  const after = (await exported()).tracks.events!
  expect(handle.ariaValueText).toBe('+10 ms')
  const same = [...before.index.keys()].filter((k) => before.index[k] === after.index[k] && before.mask[k] && after.mask[k])
  expect(same.length).toBeGreaterThan(10)
  for (const k of same) expect(after.error[k]! - before.error[k]!).toBe(0.01 * TICKS_PER_SECOND)
  press(handle, 'ArrowLeft', 1, true)
  expect(handle.ariaValueText).toBe('−90 ms')
  expect((find('offset-events') as HTMLInputElement).value).toBe('-90')
  press(handle, 'Delete')
  expect((await exported()).tracks.events!.error).toEqual(before.error)
})

test('a tolerance makes cells missing, and a policy of none all of them', async () => {
  type('tolerance-events', '50')
  const plan = await exported()
  expect(plan.report.tracks.events!.error.max).toBeLessThanOrEqual(50)
  expect(text('missing-events')).toBe(String(plan.report.tracks.events!.missing))
  type('tolerance-events', '')
  choose('policy-events', 'none')
  expect(text('coverage-events')).toBe('0 %')
  choose('policy-events', 'window')
})

test('what the model sees: the labels of its processor, as the plan has them', async () => {
  press(part('timeline-ruler'), 'Home')
  for (const [profile, first] of [
    ['glm-4.1v', ['0', '1', '2', '3']],
    ['glm-4.6v', ['0.0 seconds', '0.3 seconds']],
  ] as const) {
    choose('timeline-axis', `model:${profile}`)
    const plan = await exported()
    const told = () => [...document.querySelectorAll('[data-testid="step-label"]')].map((one) => one.textContent)
    await until(() => told().join() === plan.axis.labels!.join())
    const labels = told()
    expect(labels[0]).toBe(first[0])
    if (profile === 'glm-4.1v') expect(labels).toEqual(first)
    else expect(labels.every((label) => /^\d+\.\d seconds$/.test(label!))).toBe(true)
    expect(part('timeline-cell-heading').textContent).toContain('label')
    const canvases = document.querySelectorAll<HTMLCanvasElement>('#timeline-steps canvas')
    await until(() => [...canvases].every((canvas) => inked(canvas, 0.5) > 0))
  }
  choose('timeline-axis', 'uniform')
})

test('the plan goes out as WebVTT and CSV, a row for each cell', async () => {
  const { axis } = await exported()
  expect(parseCues(await saved('timeline-vtt')).cues.length).toBe(axis.times.length)
  expect((await saved('timeline-csv')).trimEnd().split('\r\n').length).toBe(axis.times.length + 1)
})

test('a range and a rate are taken, and what is none is told in a sentence', async () => {
  choose('timeline-range', 'part')
  type('timeline-from', '1')
  type('timeline-to', '2')
  type('timeline-rate', '30')
  expect((await exported()).axis.times.length).toBe(30)
  type('timeline-rate', '0')
  expect(part('timeline-problem').textContent).toContain('E_RANGE')
  type('timeline-rate', '99999999')
  expect(part('timeline-problem').textContent).toContain('million')
  type('timeline-rate', '10')
  expect(part('timeline-problem').hidden).toBe(true)
  choose('timeline-range', 'union')
})

test('space plays and pauses', async () => {
  const ruler = part('timeline-ruler')
  press(ruler, 'Home')
  press(ruler, ' ')
  await until(() => Number(ruler.ariaValueNow) > 0.5)
  press(ruler, ' ')
  const stopped = ruler.ariaValueNow
  await new Promise((resolve) => setTimeout(resolve, 200))
  expect(ruler.ariaValueNow).toBe(stopped)
})

test('a file that is none is told by name; pictures, captions and marks become lanes beside the others', async () => {
  give(new File(['no video'], 'bad.mp4', { type: 'video/mp4' }))
  await until(() => !part('banner').hidden)
  expect(part('banner-text').textContent).toMatch(/^bad\.mp4: .*\.$/)
  expect(lanes().length).toBe(4)
  const picture = await new Promise<Blob>((resolve) =>
    Object.assign(document.createElement('canvas'), { width: 8, height: 6 }).toBlob((one) => resolve(one!)),
  )
  give(new File([picture], 'one.png', { type: 'image/png' }), new File(['WEBVTT\n\n00:00.500 --> 00:01.500\nHello'], 'words.vtt'))
  await until(() => lanes().length === 6)
  expect(lanes().slice(4)).toEqual(['captions-2', 'picture'])
  press(part('timeline-ruler'), 'm')
  const { events } = (await exported()).tracks
  expect(events!.count).toBe(4)
  find('remove-picture').click()
  expect(lanes()).not.toContain('picture')
})

test('both languages', () => {
  part('language').click()
  expect(part('timeline-heading').textContent).toBe('同一条时间轴')
  expect(part('timeline-cell-heading').textContent).toMatch(/^第 /)
  part('language').click()
  expect(part('timeline-heading').textContent).toBe('One time axis')
})

test('camera and microphone roll in with their clocks; stopped, they are lanes with a plan', async () => {
  part('timeline-camera').click()
  await until(() => lanes().join() === 'camera')
  part('timeline-microphone').click()
  await until(() => lanes().length === 2)
  await until(() => Number(part('timeline-page').dataset.cells) > 20)
  expect(part('timeline-page').dataset.state).toBe('live')
  await until(() => Number(text('live-pushed-microphone').replaceAll(',', '')) > 50)
  expect(text('live-offset-camera')).toMatch(/± .*ms/)
  const canvas = document.querySelector<HTMLCanvasElement>('[data-testid="lane-camera"] canvas')!
  await until(() => inked(canvas, 0.1) > 100)
  part('timeline-stop').click()
  expect(part('timeline-page').dataset.state).toBe('work')
  const plan = await exported()
  expect(plan.tracks.camera!.count).toBeGreaterThan(10)
  expect(plan.report.tracks.microphone!.coverage).toBeGreaterThan(30)
})

test('another page ends what is live, and clearing lets go of everything', async () => {
  const stopped = vi.spyOn(MediaStreamTrack.prototype, 'stop')
  part('timeline-camera').click()
  await until(() => part('timeline-page').dataset.state === 'live')
  location.hash = '#bench'
  await until(() => stopped.mock.calls.length > 0)
  expect(part('timeline-page').dataset.state).not.toBe('live')
  location.hash = '#timeline'
  await until(() => !part('timeline-page').hidden)
  part('timeline-clear').click()
  expect(part('timeline-page').dataset.state).toBe('empty')
  expect(lanes()).toEqual([])
})

function part(id: string): HTMLButtonElement {
  return document.getElementById(id) as HTMLButtonElement
}

function find(testid: string): HTMLElement {
  return document.querySelector<HTMLElement>(`[data-testid="${testid}"]`)!
}

const text = (testid: string): string => find(testid)?.textContent ?? ''

function lanes(): string[] {
  return [...document.querySelectorAll<HTMLElement>('.lane')].map(({ dataset }) => dataset.testid!.replace('lane-', ''))
}

function row(lane: string): string[] {
  return [...find(`cell-${lane}`).querySelectorAll('td')].map((cell) => cell.textContent!)
}

function press(element: HTMLElement, key: string, times = 1, shiftKey = false): void {
  for (let k = 0; k < times; k++) element.dispatchEvent(new KeyboardEvent('keydown', { key, shiftKey, bubbles: true, cancelable: true }))
}

function choose(testid: string, value: string): void {
  const select = find(testid) as HTMLSelectElement
  select.value = value
  select.dispatchEvent(new Event('change', { bubbles: true }))
}

function type(testid: string, value: string): void {
  const field = find(testid) as HTMLInputElement
  field.value = value
  field.dispatchEvent(new Event('input', { bubbles: true }))
}

function give(...files: File[]): void {
  const all = new DataTransfer()
  for (const file of files) all.items.add(file)
  const input = find('timeline-files') as HTMLInputElement
  input.files = all.files
  input.dispatchEvent(new Event('change'))
}

async function saved(button: string): Promise<string> {
  const before = made.length
  part(button).click()
  expect(made.length).toBe(before + 1)
  return made.at(-1)!.text()
}

async function exported(): Promise<Plan> {
  return importPlan(await saved('timeline-json'))
}

function pixels(canvas: HTMLCanvasElement): Uint8ClampedArray {
  return canvas.getContext('2d')!.getImageData(0, 0, canvas.width, canvas.height).data
}

function colorsOf(canvas: HTMLCanvasElement): Set<number> {
  return new Set(new Uint32Array(pixels(canvas).buffer))
}

/** Pixels of the upper part that are not what the first is. */
function inked(canvas: HTMLCanvasElement, least: number): number {
  const all = new Uint32Array(pixels(canvas).buffer)
  const [first] = all
  return all.filter((one) => one !== first && one >>> 24 > least * 255).length
}

async function until(holds: () => boolean, most = 30_000): Promise<void> {
  const end = performance.now() + most
  while (!holds()) {
    if (performance.now() > end) throw new Error(`It did not come about: ${holds}`)
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}
