// The page that reads, in Chromium: its flow on a tiny model of GLM-OCR's class, whose words are noise; and given texts as text, tables, fields and files.
import { type ChatRequest, type Glm, loadGlm } from 'glm-webgpu'
import { afterAll, beforeAll, describe, expect, inject, test, vi } from 'vitest'
import html from '../../demo/index.html?raw'
import type { Loaded } from '../../demo/load.ts'
import '../../demo/style.css'
import '../../demo/bench.css'
import '../../demo/ocr.css'

const fixtures = `${inject('server')}fixtures/vision/`
const made: Blob[] = []
const names: string[] = []
let readWith: (loaded: Loaded | undefined) => void
let tiny: Glm

beforeAll(async () => {
  document.body.innerHTML = /<body>([\s\S]*)<\/body>/.exec(html)![1]!
  const create = URL.createObjectURL
  vi.spyOn(URL, 'createObjectURL').mockImplementation((blob) => {
    made.push(blob as Blob)
    return create.call(URL, blob)
  })
  // A download would leave the test's page.
  vi.spyOn(HTMLAnchorElement.prototype, 'click').mockImplementation(function (this: HTMLAnchorElement) {
    names.push(this.download)
  })
  const [ocr, { startLanguage }, { startBanner }, { startPages }] = await Promise.all([
    import('../../demo/ocr.ts'),
    import('../../demo/language.ts'),
    import('../../demo/banner.ts'),
    import('../../demo/pages.ts'),
    import('../../demo/agent.ts'),
  ])
  readWith = ocr.readWith
  location.hash = '#ocr'
  startLanguage(part('language'))
  startBanner()
  ocr.startOcr()
  startPages()
  tiny = await loadGlm(`${fixtures}glm_ocr/`, { weights: 'f32', context: 512, cache: 'none' })
})

afterAll(async () => {
  location.hash = ''
  vi.restoreAllMocks()
  await tiny?.close()
})

describe('without a model that reads', () => {
  test('the page says what it needs, and leads to where it is loaded', async () => {
    expect(part('ocr-page').dataset.state).toBe('empty')
    expect(part('ocr-need').dataset.state).toBe('none')
    expect(find('ocr-need-text').textContent).toMatch(/GLM-OCR .*GB.*MIT/)
    find('ocr-load').click()
    await until(() => (part('url') as unknown as HTMLInputElement).value === 'zai-org/GLM-OCR')
    expect(location.hash).toBe('#models')
    expect((part('context') as unknown as HTMLInputElement).value).toBe('8192')
    location.hash = '#ocr'
    await until(() => !part('ocr-page').hidden)
  })

  test('pictures are taken all the same, what is none is told by name, and nothing can be read', async () => {
    give(await picture('wide.png'), new File(['no picture'], 'bad.png', { type: 'image/png' }))
    await until(() => sheets().length === 1 && !part('banner').hidden)
    expect(part('banner-text').textContent).toMatch(/^bad\.png: .*\.$/)
    expect(part('ocr-read').disabled).toBe(true)
    await until(() => part('ocr-preview').querySelector('canvas') !== null)
    expect(part('ocr-seen').textContent).toMatch(/^wide\.png · \d+ × \d+$/)
  })
})

describe('a tiny model of its class', () => {
  test('is said to read here, and that its context is small', () => {
    readWith(loaded(tiny, 'tiny OCR'))
    expect(part('ocr-need').dataset.state).toBe('made')
    expect(find('ocr-need-text').textContent).toMatch(/tiny OCR reads here.*512.*307 tokens.*8,192/)
    expect(part('ocr-read').disabled).toBe(false)
  })

  test('looks, takes in, writes: the answer is that of the API', async () => {
    const doing = watch('ocr-doing')
    part('ocr-read').click()
    expect(part('ocr-page').dataset.state).toBe('running')
    expect(part('ocr-stop').hidden).toBe(false)
    await until(() => part('ocr-page').dataset.state === 'work', 110_000)
    expect(doing()).toEqual(['Looking at the picture…', expect.stringMatching(/^Taking in \d+ tokens of picture and prompt…$/), 'Writing…'])
    const content = [{ type: 'image', image: await picture('wide.png') } as const, { type: 'text', text: 'Text Recognition:' } as const]
    const answer = await tiny.chat.completions.create({ messages: [{ role: 'user', content }], temperature: 0, budget: { picture: 307 } })
    expect(part('ocr-text').textContent!.replace(/\s+/g, '')).toBe(answer.choices[0].message.content!.trim().replace(/\s+/g, ''))
    const { width, height, tokens } = answer.seen![0]!
    expect(doing()[1]).toContain(` ${answer.usage.prompt_tokens} tokens`)
    expect(part('ocr-seen').textContent).toContain(`seen as ${width} × ${height}, ${tokens} tokens`)
    expect(part('ocr-figures').textContent).toMatch(/^tiny OCR · \d+ tokens? · /)
    expect(sheets()[0]!.dataset.state).toBe('done')
  })

  test('all pages are read one after the other; a stop keeps what was written', async () => {
    give(await picture('square.png'), await picture('tall.png'))
    await until(() => sheets().length === 3)
    expect(part('ocr-read').textContent).toBe('Read all 2')
    part('ocr-read').click()
    await until(() => sheets()[1]!.dataset.state === 'running' && part('ocr-text').textContent!.length > 3)
    press('Escape')
    await until(() => part('ocr-page').dataset.state === 'work')
    expect(sheets().map(({ dataset }) => dataset.state)).toEqual(['done', 'stopped', 'new'])
    expect(part('ocr-text').textContent!.length).toBeGreaterThan(3)
    expect(part('ocr-figures').textContent).toContain('stopped')
  })

  test('a page that is removed while it is read ends the reading', async () => {
    part('ocr-read').click()
    await until(() => sheets()[1]!.dataset.state === 'running')
    sheets()[1]!.querySelector<HTMLButtonElement>('.away')!.click()
    await until(() => part('ocr-page').dataset.state === 'work')
    expect(sheets().map(({ dataset }) => dataset.state)).toEqual(['done', 'new'])
    part('ocr-clear').click()
    expect(sheets()).toEqual([])
    expect(part('ocr-page').dataset.state).toBe('empty')
  })
})

describe('given texts', () => {
  beforeAll(async () => {
    give(await picture('square.png'))
    await until(() => sheets().length === 1)
  })

  test('another model that sees reads as well, and that it is another is said', async () => {
    await reads('Hello', { family: 'glm46v' })
    expect(part('ocr-need').dataset.state).toBe('other')
    expect(find('ocr-need-text').textContent).toMatch(/^given is loaded.*GLM-OCR/)
    expect(part('ocr-text').textContent).toBe('Hello')
  })

  test('a model that sees nothing is none', () => {
    readWith(given('x', [], { sees: undefined }))
    expect(part('ocr-need').dataset.state).toBe('none')
    expect(part('ocr-read').disabled).toBe(true)
  })

  test('it is asked as the model card says', async () => {
    const asked: ChatRequest[] = []
    await reads('Text', {}, 'table', asked)
    expect(asked[0]!.messages[0]!.content).toEqual([
      { type: 'image', image: expect.any(File) },
      { type: 'text', text: 'Table Recognition:' },
    ])
    expect(asked[0]).toMatchObject({ temperature: 0, budget: { picture: 4000 }, stream: true })
  })

  test('a table becomes a table, and goes out as text, Markdown, CSV and JSON', async () => {
    await reads('Sums\n<table border="1"><tr><th>Item</th><th>Price, €</th></tr><tr><td colspan="2">none</td></tr></table>', {}, 'table')
    const table = part('ocr-text').querySelector('table')!
    expect(
      [...table.rows].map((row) => [...row.cells].map(({ tagName, textContent, colSpan }) => [tagName, textContent, colSpan])),
    ).toEqual([
      [
        ['TH', 'Item', 1],
        ['TH', 'Price, €', 1],
      ],
      [['TD', 'none', 2]],
    ])
    expect(await saved('txt')).toBe('Sums\n\nItem\tPrice, €\nnone\t\n')
    expect(await saved('md')).toBe('Sums\n\n| Item | Price, € |\n| --- | --- |\n| none |  |\n')
    expect(await saved('csv')).toBe('\uFEFFItem,"Price, €"\r\nnone,\r\n')
    const json = JSON.parse(await saved('json'))
    expect(json).toMatchObject({
      file: 'square.png',
      model: 'given',
      task: 'table',
      tables: [
        [
          ['Item', 'Price, €'],
          ['none', ''],
        ],
      ],
    })
    expect(names.at(-1)).toBe('square.json')
  })

  test('text has no CSV', async () => {
    await reads('# Title\n\nText', {}, 'text')
    expect(part('ocr-csv').hidden).toBe(true)
    expect(part('ocr-txt').hidden).toBe(false)
  })

  test('what looks like HTML is text', async () => {
    const text = '<img src=x onerror="window.hurt = 1"><script>window.hurt = 1</script><b>a</b>'
    await reads(`${text}\n<table><tr><td>${text}</td></tr></table>`, {}, 'text')
    expect(part('ocr-text').querySelectorAll('img, script, b')).toHaveLength(0)
    expect(part('ocr-text').textContent).toContain('<script>window.hurt = 1</script><b>a</b>')
    expect(part('ocr-text').querySelector('td')!.textContent).toContain('<script>window.hurt = 1</script>a')
    expect('hurt' in window).toBe(false)
  })

  test('fields are named, asked for as JSON, and shown as a form', async () => {
    pickTask('fields')
    part('ocr-read').click()
    expect((part('ocr-fields') as unknown as HTMLTextAreaElement).validity.customError).toBe(true)
    type('ocr-fields', 'Number\nDate')
    const asked: ChatRequest[] = []
    await reads('```json\n{"Number": "17", "Date": "", "by": {"name": "<b>"}}\n```', {}, 'fields', asked)
    expect(asked[0]!.messages[0]!.content).toMatchObject([
      {},
      { text: '请按下列JSON格式输出图中信息:\n{\n    "Number": "",\n    "Date": ""\n}' },
    ])
    const form = [...part('ocr-text').querySelectorAll('label')].map((label) => [label.textContent, label.querySelector('textarea')!.value])
    expect(form).toEqual([
      ['Number', '17'],
      ['Date', ''],
      ['by › name', '<b>'],
    ])
    expect(JSON.parse(await saved('json')).fields).toEqual({ Number: '17', Date: '', by: { name: '<b>' } })
    await reads('No number here.', {}, 'fields')
    expect(part('ocr-text').textContent).toContain('no JSON')
    expect(part('ocr-text').textContent).toContain('No number here.')
  })

  test('a page that failed says so, and its error is told', async () => {
    await reads(new Error('It broke.'), {}, 'text')
    expect(part('banner-text').textContent).toBe('It broke.')
    expect(sheets()[0]!.dataset.state).toBe('failed')
  })

  test('copying tells that it is done, or that it cannot be', async () => {
    await reads('Copied text', {}, 'text')
    const write = vi.spyOn(navigator.clipboard, 'writeText').mockResolvedValueOnce()
    part('ocr-copy').click()
    await until(() => part('ocr-news').textContent === 'Copied.')
    expect(write).toHaveBeenCalledWith('Copied text')
    write.mockRejectedValueOnce(new Error('no'))
    part('ocr-copy').click()
    await until(() => part('ocr-news').textContent!.includes('does not let'))
  })

  test('pages are dropped and pasted while this page is shown, and only then', async () => {
    const data = new DataTransfer()
    data.items.add(await picture('thin.png'))
    document.dispatchEvent(new ClipboardEvent('paste', { clipboardData: data, bubbles: true, cancelable: true }))
    await until(() => sheets().length === 2)
    document.body.dispatchEvent(new DragEvent('drop', { dataTransfer: data, bubbles: true, cancelable: true }))
    await until(() => sheets().length === 3)
    const both = new DataTransfer()
    both.items.add(await picture('thin.png'))
    both.setData('text/plain', 'Total')
    part('ocr-fields').dispatchEvent(new ClipboardEvent('paste', { clipboardData: both, bubbles: true, cancelable: true }))
    location.hash = '#agent'
    await until(() => part('ocr-page').hidden === true)
    document.dispatchEvent(new ClipboardEvent('paste', { clipboardData: data, bubbles: true, cancelable: true }))
    await new Promise((resolve) => setTimeout(resolve, 300))
    expect(sheets().length).toBe(3)
    location.hash = '#ocr'
    await until(() => !part('ocr-page').hidden)
  })

  test('several read pages go out as one', async () => {
    await reads('Same', {}, 'text')
    expect(part('ocr-all').hidden).toBe(false)
    const before = made.length
    part('ocr-all').click()
    expect(await made[before]!.text()).toBe('Same\n\n---\n\nSame\n\n---\n\nSame\n')
  })

  test('both languages', () => {
    part('language').click()
    expect(part('ocr-heading').textContent).toBe('读取页面')
    expect(document.querySelector('[data-testid="ocr-task-table"] + span')!.textContent).toBe('表格')
    part('language').click()
    expect(part('ocr-heading').textContent).toBe('Read a page')
  })
})

function loaded(glm: Glm, title: string): Loaded {
  return { glm, choice: { key: title, model: title, title }, options: {}, title, cached: false }
}

/** A model that writes what it was given, in pieces, or throws. */
let kinds = 0
function given(answer: string | Error, asked: ChatRequest[], model: object): Loaded {
  async function* chunks() {
    yield {
      choices: [{ delta: { content: '' }, finish_reason: null }],
      seen: [{ type: 'picture', width: 28, height: 28, tokens: 1, cached: true }],
    }
    if (answer instanceof Error) throw answer
    for (const content of answer.match(/[\s\S]{1,7}/g) ?? []) yield { choices: [{ delta: { content }, finish_reason: null }] }
    yield { choices: [{ delta: {}, finish_reason: 'stop' }] }
  }
  const create = async (request: ChatRequest) => {
    asked.push(request)
    return chunks()
  }
  const info = { family: 'glm_ocr', context: 8192, sees: { picture: true, video: false }, ...model }
  const glm = { model: info, chat: { completions: { create } } } as unknown as Glm
  return { ...loaded(glm, 'given'), choice: { key: `given ${++kinds}`, model: 'given', title: 'given' } }
}

async function reads(answer: string | Error, model: object, task?: string, asked: ChatRequest[] = []): Promise<void> {
  readWith(given(answer, asked, model))
  if (task) pickTask(task)
  part('ocr-read').click()
  await until(() => part('ocr-page').dataset.state === 'work')
}

function pickTask(task: string): void {
  find(`ocr-task-${task}`).click()
}

async function picture(name: string): Promise<File> {
  const blob = await (await fetch(`${fixtures}pictures/${name}`, { cache: 'no-store' })).blob()
  return new File([blob], name, { type: 'image/png' })
}

function give(...files: File[]): void {
  const all = new DataTransfer()
  for (const file of files) all.items.add(file)
  const input = find('ocr-files') as HTMLInputElement
  input.files = all.files
  input.dispatchEvent(new Event('change'))
}

async function saved(form: string): Promise<string> {
  const before = made.length
  part(`ocr-${form}`).click()
  expect(made.length).toBe(before + 1)
  return new TextDecoder('utf-8', { ignoreBOM: true }).decode(await made.at(-1)!.arrayBuffer())
}

/** The different texts that an element has had, in their order. */
function watch(id: string): () => string[] {
  const told: string[] = []
  const look = () => {
    const now = part(id).textContent!
    if (told.at(-1) !== now && part(id).closest('[hidden]') === null) told.push(now)
  }
  new MutationObserver(look).observe(part(id), { childList: true, characterData: true, subtree: true })
  return () => told
}

function part(id: string): HTMLButtonElement {
  return document.getElementById(id) as HTMLButtonElement
}

function find(testid: string): HTMLElement {
  return document.querySelector<HTMLElement>(`[data-testid="${testid}"]`)!
}

function sheets(): HTMLElement[] {
  return [...document.querySelectorAll<HTMLElement>('[data-testid="ocr-sheet"]')]
}

function press(key: string): void {
  document.dispatchEvent(new KeyboardEvent('keydown', { key, bubbles: true, cancelable: true }))
}

function type(id: string, value: string): void {
  const field = part(id) as unknown as HTMLTextAreaElement
  field.value = value
  field.dispatchEvent(new Event('input', { bubbles: true }))
}

async function until(holds: () => boolean, most = 30_000): Promise<void> {
  const end = performance.now() + most
  while (!holds()) {
    if (performance.now() > end) throw new Error(`It did not come about: ${holds}`)
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}
