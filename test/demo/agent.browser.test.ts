// The agent page in Chromium: pasted answers drawn where they point, what is no action shown as none, and the flow on a tiny model, whose words are noise.
import { type ChatRequest, type Glm, loadGlm } from 'glm-webgpu'
import { afterAll, beforeAll, describe, expect, inject, test, vi } from 'vitest'
import { userEvent } from 'vitest/browser'
import html from '../../demo/index.html?raw'
import type { Loaded } from '../../demo/load.ts'
import '../../demo/style.css'
import '../../demo/ocr.css'
import '../../demo/agent.css'

const fixtures = `${inject('server')}fixtures/vision/`
let actWith: (loaded: Loaded | undefined) => void

beforeAll(async () => {
  document.body.innerHTML = /<body>([\s\S]*)<\/body>/.exec(html)![1]!
  const [agent, { startLanguage }, { startBanner }, { startPages }] = await Promise.all([
    import('../../demo/agent.ts'),
    import('../../demo/language.ts'),
    import('../../demo/banner.ts'),
    import('../../demo/pages.ts'),
  ])
  actWith = agent.actWith
  location.hash = '#agent'
  startLanguage(part('language'))
  startBanner()
  agent.startAgent()
  startPages()
})

afterAll(() => {
  location.hash = ''
  vi.restoreAllMocks()
})

describe('without a model and without a screenshot', () => {
  test('the page says what it needs, that an answer can be pasted, and that nothing is carried out', () => {
    expect(part('agent-need').dataset.state).toBe('none')
    expect(find('agent-need-text').textContent).toMatch(/AutoGLM-Phone-9B .*GB.*MIT.*paste/)
    expect(part('agent-page').textContent).toContain('never carries anything out')
    expect(part('agent-ask').disabled).toBe(true)
    expect(part('agent-action').hidden).toBe(true)
  })

  test('an answer is told in thousandths', () => {
    paste('<think>Top.</think><answer>do(action="Tap", element=[500,80])</answer>')
    expect(text('agent-what')).toBe('Taps at 500 ‰, 80 ‰.')
    expect(shapes()).toEqual([])
    expect(part('agent-thinking').hidden).toBe(false)
    expect((part('agent-thinking') as unknown as HTMLDetailsElement).open).toBe(false)
    expect(part('agent-thought').textContent).toBe('Top.')
  })
})

describe('on a screenshot', () => {
  beforeAll(async () => {
    give(await screenshot(200, 400))
    await until(() => part('agent-page').dataset.state === 'work')
  })

  test('it has the pixels of the picture', () => {
    const canvas = part('agent-screen').querySelector('canvas')!
    expect([canvas.width, canvas.height]).toEqual([200, 400])
    expect(part('agent-size').textContent).toBe('phone.png · 200 × 400')
    const [stage, drawing] = [canvas.getBoundingClientRect(), part('agent-drawing').getBoundingClientRect()]
    for (const side of ['left', 'top', 'width', 'height'] as const) expect(drawing[side]).toBeCloseTo(stage[side], 0)
  })

  test('a tap is a ring where it taps', () => {
    paste('do(action="Tap", element=[500,250])')
    expect(text('agent-what')).toBe('Taps at 100, 100.')
    expect(shapes()).toEqual(['circle.ring 100,100', 'circle.dot 100,100'])
    expect(part('agent-drawing').getAttribute('viewBox')).toBe('0 0 200 400')
    expect(part('agent-first').hidden).toBe(true)
  })

  test('what touches money asks first', () => {
    paste('do(action="Tap", element=[0,999], message="Pay 12 €")')
    expect(shapes()).toEqual(['circle.ring 0,399', 'circle.dot 0,399'])
    expect(text('agent-message')).toBe('Pay 12 €')
    expect(part('agent-first').hidden).toBe(false)
  })

  test.each([
    [
      'do(action="Double Tap", element=[500,500])',
      'Taps twice at 100, 200.',
      ['circle.ring 100,200', 'circle.ring 100,200', 'circle.dot 100,200'],
    ],
    ['do(action="Long Press", element=[500,500])', 'Presses and holds at 100, 200.', ['circle.ring 100,200', 'circle.dot held 100,200']],
  ])('%s', (answer, words, drawn) => {
    paste(answer)
    expect(text('agent-what')).toBe(words)
    expect(shapes()).toEqual(drawn)
  })

  test('a swipe is an arrow to its end', () => {
    paste('do(action="Swipe", start=[500,750], end=[500,250])')
    expect(text('agent-what')).toBe('Swipes from 100, 300 to 100, 100.')
    const line = document.querySelector('#agent-drawing .above line')!
    expect(['x1', 'y1', 'x2', 'y2'].map((name) => line.getAttribute(name))).toEqual(['100', '300', '100', '100'])
    const head = document.querySelector('#agent-drawing .above polyline')!.getAttribute('points')!.split(' ')
    expect(head[1]).toBe('100,100')
    const [left, right] = [head[0], head[2]].map((point) => point!.split(',').map(Number))
    expect([left![1], right![1]]).toEqual([110, 110])
    expect(left![0]! + right![0]!).toBe(200)
    paste('do(action="Swipe", start=[5,5], end=[5,5])')
    expect(document.querySelector('#agent-drawing line')).toBeNull()
  })

  test.each([
    ['do(action="Type", text="a <b>c</b>")', 'Types “a <b>c</b>” in place of what stands in the field.', ''],
    ['do(action="Type_Name", text="Ada")', 'Types the name “Ada” in place of what stands in the field.', ''],
    ['do(action="Launch", app="微信")', 'Opens the app “微信”.', ''],
    ['do(action="Back")', 'Goes back.', ''],
    ['do(action="Home")', 'Goes to the home screen.', ''],
    ['do(action="Wait", duration="2 seconds")', 'Waits 2 s.', ''],
    ['do(action="Take_over", message="Log in")', 'Asks you to take over.', 'Log in'],
    ['do(action="Interact", message="Which?")', 'Asks you to choose.', 'Which?'],
    ['do(action="Note", message="True")', 'Notes what the page shows.', 'True'],
    ['do(action="Call_API", instruction="sum")', 'Sums up: sum', ''],
    ['finish(message="Done: 3 found.")', 'Says that the task is done.', 'Done: 3 found.'],
  ])('%s', (answer, words, message) => {
    paste(answer)
    expect(text('agent-what')).toBe(words)
    expect(part('agent-message').hidden).toBe(message === '')
    expect(text('agent-message')).toBe(message)
    expect(shapes()).toEqual([])
    expect(part('agent-action').querySelector('b')).toBeNull()
  })

  test.each([
    ['do(action="Tap", element=[500,2000])', 'from 0 to 1000'],
    ['do(action="Drag", element=[1,2])', 'There is no action "Drag"'],
    ['do(action="Tap", element=[1,2]); import os', 'behind the call'],
    ['<img src=x onerror="window.hurt=1">', 'Character 0'],
  ])('%s is no action', (answer, why) => {
    paste(answer)
    expect(part('agent-action').dataset.type).toBe('unknown')
    expect(text('agent-what')).toBe('This is no action, and nobody should carry it out.')
    expect(text('agent-message')).toContain(why)
    expect(part('agent-written').textContent).toBe(answer)
    expect(shapes()).toEqual([])
    expect(part('agent-page').querySelector('img')).toBeNull()
  })

  test('an example and both languages', () => {
    part('agent-example').click()
    expect(part('agent-action').dataset.type).toBe('tap')
    part('language').click()
    expect(text('agent-what')).toMatch(/^点击 100, \d+。$/)
    expect((part('agent-system') as unknown as HTMLTextAreaElement).value).toMatch(/^今天的日期是/)
    part('language').click()
    expect((part('agent-system') as unknown as HTMLTextAreaElement).value).toMatch(/^The current date/)
    type('agent-system', 'Mine')
    part('language').click()
    expect((part('agent-system') as unknown as HTMLTextAreaElement).value).toBe('Mine')
    part('language').click()
  })

  test('another picture takes its place, by drop and by paste; what is none is told', async () => {
    const data = new DataTransfer()
    data.items.add(await screenshot(300, 100))
    document.body.dispatchEvent(new DragEvent('drop', { dataTransfer: data, bubbles: true, cancelable: true }))
    await until(() => text('agent-size').includes('300 × 100'))
    expect(part('agent-drawing').getAttribute('viewBox')).toBe('0 0 300 100')
    give(new File(['no'], 'bad.png', { type: 'image/png' }))
    await until(() => !part('banner').hidden)
    expect(part('banner-text').textContent).toMatch(/^bad\.png: /)
    expect(text('agent-size')).toContain('300 × 100')
  })

  test('a screen is captured for one picture, and given back', async () => {
    const stopped = vi.spyOn(MediaStreamTrack.prototype, 'stop')
    await userEvent.click(part('agent-capture'))
    await until(() => text('agent-size').startsWith('captured screen'))
    expect(stopped.mock.calls.length).toBe(1)
    const canvas = part('agent-screen').querySelector('canvas')!
    expect(canvas.width).toBeGreaterThan(16)
  })
})

describe('a model', () => {
  test('is asked with the screenshot, the task and the app, and what it answers is drawn', async () => {
    const asked: ChatRequest[] = []
    actWith(given('<think>Yes.</think><answer>do(action="Back")</answer>', asked, 'AutoGLM-Phone-9B'))
    expect(part('agent-need').dataset.state).toBe('made')
    give(await screenshot(64, 64))
    await until(() => text('agent-size').includes('64 × 64'))
    expect(part('agent-ask').disabled).toBe(true) // nothing is asked yet
    type('agent-task', 'Leave')
    type('agent-app', 'Shop')
    type('agent-system', 'Be good.')
    part('agent-ask').click()
    await until(() => part('agent-page').dataset.state === 'work' && text('agent-what') === 'Goes back.')
    expect(part('agent-thought').textContent).toBe('Yes.')
    expect(asked[0]).toMatchObject({
      temperature: 0,
      frequency_penalty: 0.2,
      max_tokens: 2048,
      budget: { picture: 4000 },
      messages: [
        { role: 'system', content: 'Be good.' },
        { role: 'user', content: [{ type: 'image' }, { type: 'text', text: 'Leave\n\n{"current_app": "Shop"}' }] },
      ],
    })
  })

  test('another that sees is said to be another', () => {
    actWith(given('x', [], 'other'))
    expect(part('agent-need').dataset.state).toBe('other')
    expect(part('agent-ask').disabled).toBe(false)
  })

  test('a tiny one of its class writes noise, which is no action; it can be stopped', async () => {
    const glm = await loadGlm(`${fixtures}glm4v/`, { weights: 'f32', context: 256, cache: 'none' })
    try {
      actWith({ ...given('x', [], 'tiny'), glm })
      type('agent-system', 'Only read this.')
      part('agent-ask').click()
      expect(part('agent-stop').hidden).toBe(false)
      await until(() => part('agent-page').dataset.state === 'work', 110_000)
      const noise = (part('agent-answer') as unknown as HTMLTextAreaElement).value
      expect(noise.length).toBeGreaterThan(20)
      expect(part('agent-action').dataset.type).toBe('unknown')
      expect(text('agent-message')).toMatch(/\.$/)
      part('agent-ask').click()
      await until(() => (part('agent-answer') as unknown as HTMLTextAreaElement).value.length > 3)
      part('agent-stop').click()
      await until(() => part('agent-page').dataset.state === 'work')
      expect((part('agent-answer') as unknown as HTMLTextAreaElement).value.length).toBeLessThan(noise.length)
      expect(part('banner').hidden).toBe(true)
    } finally {
      actWith(undefined)
      await glm.close()
    }
  })
})

function given(answer: string, asked: ChatRequest[], title: string): Loaded {
  async function* chunks() {
    yield { choices: [{ delta: { content: '' } }], seen: [{ type: 'picture', width: 28, height: 28, tokens: 1, cached: false }] }
    for (const content of answer.match(/[\s\S]{1,5}/g) ?? []) yield { choices: [{ delta: { content } }] }
  }
  const create = async (request: ChatRequest) => {
    asked.push(request)
    return chunks()
  }
  const model = { id: title, family: 'glm4v', context: 8192, sees: { picture: true, video: true } }
  const glm = { model, chat: { completions: { create } } } as unknown as Glm
  return { glm, choice: { key: title, model: title, title }, options: {}, title, cached: false }
}

async function screenshot(width: number, height: number): Promise<File> {
  const canvas = new OffscreenCanvas(width, height)
  const context = canvas.getContext('2d')!
  context.fillStyle = '#ccddee'
  context.fillRect(0, 0, width, height)
  return new File([await canvas.convertToBlob()], 'phone.png', { type: 'image/png' })
}

function give(file: File): void {
  const all = new DataTransfer()
  all.items.add(file)
  const input = find('agent-files') as HTMLInputElement
  input.files = all.files
  input.dispatchEvent(new Event('change'))
}

const paste = (answer: string): void => type('agent-answer', answer)

function type(id: string, value: string): void {
  const field = part(id) as unknown as HTMLTextAreaElement
  field.value = value
  field.dispatchEvent(new Event('input', { bubbles: true }))
}

/** What is drawn above, with its class and its centre. */
function shapes(): string[] {
  return [...document.querySelectorAll('#agent-drawing .above circle, #agent-drawing .above line')].map((one) => {
    const [x, y] = one.tagName === 'circle' ? ['cx', 'cy'] : ['x1', 'y1']
    return `${one.tagName}${one.tagName === 'circle' ? `.${one.getAttribute('class')}` : ''} ${one.getAttribute(x!)},${one.getAttribute(y!)}`
  })
}

function part(id: string): HTMLButtonElement {
  return document.getElementById(id) as HTMLButtonElement
}

function find(testid: string): HTMLElement {
  return document.querySelector<HTMLElement>(`[data-testid="${testid}"]`)!
}

const text = (id: string): string => part(id).textContent ?? ''

async function until(holds: () => boolean, most = 30_000): Promise<void> {
  const end = performance.now() + most
  while (!holds()) {
    if (performance.now() > end) throw new Error(`It did not come about: ${holds}`)
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}
