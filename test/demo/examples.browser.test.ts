// What the demo shows Pocket V first it mostly answers right, in both languages, from the very pictures that the page draws.
import { type Glm, loadGlm } from 'glm-webgpu'
import { afterAll, beforeAll, expect, inject, test } from 'vitest'
import { partOf } from '../../demo/attach-item.ts'
import { examplesFor } from '../../demo/examples.ts'
import { sceneAttachment } from '../../demo/scene.ts'

/** Without its weights the package was built without it. */
const there = (await fetch(`${inject('server')}dist/pocket-v/model.safetensors`, { method: 'HEAD', cache: 'no-store' })).ok

const answers: Record<string, string> = {
  'What is there?':
    'A red circle at the top left, a purple star at the top right, a blue circle in the middle, a green circle at the bottom left and an orange square at the bottom right.',
  '图里有什么？': '左上角有红色圆形，右上角有紫色星形，中间有蓝色圆形，左下角有绿色圆形，右下角有橙色方形。',
  'How many circles are there?': '3 circles.',
  '图里有几个圆形？': '3个圆形。',
  'Where is the purple star?': 'The purple star is at the top right.',
  '紫色的星形在哪里？': '紫色星形在右上角。',
  'Which digit is there?': '7.',
  '图里有什么数字？': '7。',
}

let glm: Glm

beforeAll(async () => {
  if (there) glm = await loadGlm('pocket-v')
})

afterAll(() => glm?.close())

const asked = examplesFor('pocket-v', { picture: true, video: true, profile: 'glm-4.6v' }).flatMap(({ en, zh, scene }) => [
  { question: en, scene },
  { question: zh, scene },
])

test('an answer is known for each example', () => {
  expect(asked.map(({ question }) => question)).toEqual(Object.keys(answers))
})

/** It is a toy; where it is wrong more often, the page should show something else. */
test.skipIf(!there)('most of them are answered right', async () => {
  const wrong: string[] = []
  for (const { question, scene } of asked) {
    const content = [partOf(await sceneAttachment(scene!)), { type: 'text', text: question } as const]
    const { choices } = await glm.chat.completions.create({ messages: [{ role: 'user', content }], temperature: 0, max_tokens: 120 })
    const answer = choices[0].message.content?.trim()
    if (answer !== answers[question]) wrong.push(`${question} ${answer}`)
  }
  expect(wrong.length, wrong.join('\n')).toBeLessThanOrEqual(2)
})
