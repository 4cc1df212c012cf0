// What the demo shows Pocket V first it mostly answers right, in both languages, from the very pictures and clips that the page draws.
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
  'When does the red circle appear?': 'The red circle appears at 3.0 seconds.',
  '红色的圆形什么时候出现？': '红色圆形在3.0秒出现。',
  'When does the purple star vanish?': 'The purple star vanishes at 1.5 seconds.',
  '紫色的星形什么时候消失？': '紫色星形在1.5秒消失。',
  'Which way does the green triangle move?': 'The green triangle moves to the right.',
  '绿色的三角形往哪边移动？': '绿色三角形向右移动。',
  'What happens?':
    'A green triangle is there from the start and moves to the right. A purple star is there from the start and vanishes at 1.5 seconds.',
  '发生了什么？': '绿色三角形一开始就在，向右移动。紫色星形一开始就在，在1.5秒消失。',
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
