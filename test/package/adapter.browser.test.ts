// Chromium really runs on the adapter that this project claims, and reaches the fixture server.
import { expect, inject, test } from 'vitest'

test('the adapter is the one that was asked for', async () => {
  const adapter = await navigator.gpu.requestAdapter()
  expect(adapter?.features.has('shader-f16')).toBe(inject('adapter') === 'lavapipe')
  expect(adapter?.features.has('subgroups')).toBe(true)
})

test('model files come by range from the fixture server, which can also fail', async () => {
  const path = 'fixtures/checkpoints/glm-chat-bf16/config.json'
  const get = (range: string) => fetch(inject('server') + path, { headers: { range }, cache: 'no-store' })
  await fetch(`${inject('control')}reset`, { method: 'POST' })
  const part = await get('bytes=0-0')
  expect([part.status, await part.text()]).toEqual([206, '{'])
  await fetch(`${inject('control')}faults`, { method: 'POST', body: JSON.stringify([[path, { kind: 'status', status: 503, times: 1 }]]) })
  expect((await get('bytes=0-1')).status).toBe(503)
  expect((await get('bytes=0-2')).status).toBe(206)
  const log: { range: string }[] = await (await fetch(`${inject('control')}log`)).json()
  expect(log.map(({ range }) => range)).toEqual(['bytes=0-0', 'bytes=0-1', 'bytes=0-2'])
})
