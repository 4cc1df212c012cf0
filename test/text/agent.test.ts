// The phone agent's calls: every action that its prompts name, what its own client accepts, and what nobody may carry out.
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type AgentAction, parseAgent, pixelsOf } from '../../src/text/agent.ts'

const actionOf = (written: string) => parseAgent(written).action

describe('every action', () => {
  const cases: [string, AgentAction][] = [
    ['do(action="Launch", app="小红书")', { type: 'launch', app: '小红书' }],
    ['do(action="Tap", element=[499,0])', { type: 'tap', at: [499, 0] }],
    ['do(action="Tap", element=[1, 999], message="Pay now")', { type: 'tap', at: [1, 999], message: 'Pay now' }],
    ['do(action="Double Tap", element=[10,20])', { type: 'doubleTap', at: [10, 20] }],
    ['do(action="Long Press", element=[10,20])', { type: 'longPress', at: [10, 20] }],
    ['do(action="Swipe", start=[500,800], end=[500,200])', { type: 'swipe', from: [500, 800], to: [500, 200] }],
    ['do(action="Type", text="Hello World")', { type: 'type', text: 'Hello World' }],
    ['do(action="Type_Name", text="Ada")', { type: 'typeName', text: 'Ada' }],
    ['do(action="Back")', { type: 'back' }],
    ['do(action="Home")', { type: 'home' }],
    ['do(action="Wait", duration="3 seconds")', { type: 'wait', seconds: 3 }],
    ['do(action="Wait", duration="0.5 seconds")', { type: 'wait', seconds: 0.5 }],
    ['do(action="Wait", duration=2)', { type: 'wait', seconds: 2 }],
    ['do(action="Wait")', { type: 'wait', seconds: 1 }],
    ['do(action="Take_over", message="log in")', { type: 'takeOver', message: 'log in' }],
    ['do(action="Note", message="True")', { type: 'note', message: 'True' }],
    ['do(action="Call_API", instruction="sum up")', { type: 'callApi', instruction: 'sum up' }],
    ['do(action="Interact")', { type: 'interact', message: '' }],
    ['finish(message="Done.")', { type: 'finish', message: 'Done.' }],
  ]
  test.each(cases)('%s', (written, action) => {
    for (const text of [written, `<answer>${written}</answer>`, `<think>why</think>\n<answer>\n${written}\n</answer>\n`]) {
      expect(actionOf(text)).toEqual(action)
    }
  })
})

describe('how it may be written', () => {
  const cases: [string, AgentAction][] = [
    ["do( action = 'Tap' ,\n element = [ 1 , 2 ] , )", { type: 'tap', at: [1, 2] }],
    [String.raw`do(action="Launch", app="a\"b\\c\n\u4f60\x41\d")`, { type: 'launch', app: 'a"b\\c\n你A\\d' }],
    ['do(action="Note", message="two\nlines")', { type: 'note', message: 'two\nlines' }],
    ['do(action="Type", text="say "hi", (ok)")', { type: 'type', text: 'say "hi", (ok)' }],
    [String.raw`do(action="Type", text="C:\new")`, { type: 'type', text: String.raw`C:\new` }],
    ['do(action="Type", text="")', { type: 'type', text: '' }],
    ['do(action="Type", text="a\nb" )', { type: 'type', text: 'a\nb' }],
    ['do(action="Type", text="finish(message=\\"x\\")")', { type: 'type', text: 'finish(message=\\"x\\")' }],
    ['finish(message="He said "no", so I stopped (twice).")', { type: 'finish', message: 'He said "no", so I stopped (twice).' }],
  ]
  test.each(cases)('%s', (written, action) => expect(actionOf(written)).toEqual(action))
})

describe('thinking', () => {
  const call = 'do(action="Back")'
  const cases: [string, string][] = [
    [`<think>\nGo back.\n</think>\n<answer>\n${call}\n</answer>`, 'Go back.'],
    [`Go back.</think><answer>${call}`, 'Go back.'],
    [`Go back. ${call}`, 'Go back.'],
    [`<think>Not do(action="Home") yet</think>${call}`, 'Not do(action="Home") yet'],
    [call, ''],
  ]
  test.each(cases)('%s', (output, thinking) => expect(parseAgent(output)).toEqual({ thinking, action: { type: 'back' } }))
})

describe('what is no action', () => {
  const cases = [
    '',
    'I cannot do that.',
    'do(action="Fly")',
    'do(action="constructor")',
    'do(action="__proto__")',
    'do(action=[1,2])',
    'do(element=[1,2], action="Tap")',
    'do(action="Tap")',
    'do(action="Tap", element=[1])',
    'do(action="Tap", element=[1,2,3])',
    'do(action="Tap", element=[1,1001])',
    'do(action="Tap", element=[-1,5])',
    'do(action="Tap", element=[1.5,5])',
    'do(action="Tap", element=[1 2])',
    'do(action="Tap", element="1,2")',
    'do(action="Tap", element=[1,2], element=[3,4])',
    'do(action="Tap", element=[1,2], force=1)',
    'do(action="Tap", element=[1,2], message=1)',
    'do(action="Long Press", element=[1,2], message="Pay")',
    'do(action="Tap", element=[1,2]) do(action="Back")',
    'do(action="Tap", element=[1,2]',
    'do(action="Tap", element=[1,2',
    'do(action="Launch", app="x',
    'do(action="Launch", app=open("x"))',
    'do(action="Launch", app="a" + "b")',
    'do(action="Launch", app=None)',
    'do(action="Wait", duration="9999 seconds")',
    'do(action="Wait", duration="soon")',
    'do(action="Type", text=Hello)',
    'do(action="Type", text="Hello)',
    'do(action="Type", text=")',
    'do(action="Type")',
    'finish(message=")',
    'finish(message="cut off',
    'finish()',
    '__import__("os").system("x")',
    '<answer></answer>',
    '<answer>do(action="Back")</answer> and more',
  ]
  test.each(cases)('%s', (written) => {
    const { action } = parseAgent(written)
    expect(action.type).toBe('unknown')
    expect((action as { why: string }).why).toMatch(/^[A-Z].*\.$/)
  })
})

test('pixels are inside the screen', () => {
  expect(pixelsOf([500, 250], 1080, 2400)).toEqual([540, 600])
  expect(pixelsOf([290, 0], 100, 100)).toEqual([29, 0])
  expect(pixelsOf([999, 999], 1080, 2400)).toEqual([1078, 2397])
  expect(pixelsOf([1000, 1000], 1080, 2400)).toEqual([1079, 2399])
})

test('what is written comes back', () => {
  const whole = fc.integer({ min: 0, max: 1000 })
  const quoted = (text: string) => `"${text.replace(/["\\]/g, '\\$&').replaceAll('\n', '\\n')}"`
  fc.assert(
    fc.property(fc.string(), whole, whole, fc.string(), (thought, x, y, message) => {
      const written = `<think>${thought.replaceAll('<', '')}</think><answer>do(action="Tap", element=[${x}, ${y}], message=${quoted(message)})</answer>`
      expect(parseAgent(written)).toEqual({ thinking: thought.replaceAll('<', '').trim(), action: { type: 'tap', at: [x, y], message } })
      expect(actionOf(`do(action="Type", text="${message}")`)).toEqual({ type: 'type', text: message })
    }),
  )
})

test('whatever comes, it is an action or unknown', () => {
  const bits = [
    'do(',
    'finish(',
    'action',
    'message',
    'text',
    'element',
    '=',
    '"',
    "'",
    '\\',
    '[',
    ']',
    ',',
    ')',
    '(',
    ' ',
    '\n',
    'Tap',
    'Type',
    '12',
    '<answer>',
    '</answer>',
    '<think>',
    '</think>',
    'do(action="',
    'do(action="Tap", element=[',
    'finish(message="',
    'u12',
  ]
  const known = new Set([
    'unknown',
    ...'launch tap doubleTap longPress swipe type typeName back home wait takeOver interact note callApi finish'.split(' '),
  ])
  fc.assert(
    fc.property(fc.array(fc.oneof(fc.constantFrom(...bits), fc.string({ maxLength: 3 })), { maxLength: 30 }), (parts) => {
      expect(known.has(actionOf(parts.join('')).type)).toBe(true)
    }),
    { numRuns: 5000 },
  )
})

test('long output takes linear work', () => {
  const n = 300_000
  const hostile = [
    '<answer>'.repeat(n / 8),
    `do(action="Tap", element=[${'1,'.repeat(n / 2)}`,
    `do(${' '.repeat(n)}`,
    `do(action="${'\\u'.repeat(n / 2)}`,
  ]
  hostile.push(
    '<think>'.repeat(n / 7),
    '</answer>'.repeat(n / 9),
    `do(action="Note"${', a=1'.repeat(n / 5)}`,
    `finish(message="${') '.repeat(n / 2)}`,
  )
  hostile.push(
    `do(action="Note"${Array.from({ length: n / 10 }, (_, i) => `, a${i}=1`).join('')})`,
    `do(action="Wait", duration="${'1'.repeat(n)}")`,
  )
  for (const output of hostile) {
    const start = performance.now()
    expect(actionOf(output).type).toBe('unknown')
    expect(performance.now() - start, output.slice(0, 30)).toBeLessThan(1000)
  }
})
