// How a program waits for Dawn beside an adapter that needs its core.
import { setTimeout as after } from 'node:timers/promises'
import { promisify } from 'node:util'
import { afterEach, expect, test } from 'vitest'
import { waitPatiently } from '../../src/cli/patient.ts'

const immediate = globalThis.setImmediate
afterEach(() => {
  globalThis.setImmediate = immediate
})

test('what is native comes by a timer with its arguments, what is JavaScript at once; promises of it still work', async () => {
  waitPatiently()
  const order: string[] = []
  const note = (what: string) => order.push(what)
  setImmediate(note.bind(undefined), 'native')
  setImmediate(note, 'script')
  await promisify(setImmediate)()
  expect(order).toEqual(['script'])
  await after(20)
  expect(order).toEqual(['script', 'native'])
  const cancelled = setImmediate(note, 'never')
  clearImmediate(cancelled)
  await after(5)
  expect(order.length).toBe(2)
})
