// What to ask first. The models that come with the package were trained on these kinds of question; others get more general ones.
import type { ModelInfo } from 'glm-webgpu'
import type { Language } from './language.ts'
import type { Scene } from './scene.ts'

/** A question in each language, and what it is asked about. */
export type Example = Record<Language, string> & { scene?: Scene }

const pocket: Example[] = [
  { en: 'What can you do?', zh: '你会什么？' },
  { en: 'What is 45 + 23?', zh: '27加15等于多少？' },
  { en: 'How many R are in STRAWBERRY?', zh: 'STRAWBERRY 里有几个 R？' },
  { en: 'Sort these words: tree apple moon', zh: '把这些单词排序：tree apple moon' },
  { en: 'Spell TIGER backwards.', zh: '把单词 TIGER 倒过来' },
  { en: 'What day is 3 days after Friday?', zh: '今天是星期五，3天后是星期几？' },
  { en: 'How many days are in 3 weeks?', zh: '3周是多少天？' },
  { en: 'Anna is 34 years old and lives in Paris. Give me that as JSON.', zh: '小明今年8岁，住在北京。请转成 JSON。' },
]

const general: Example[] = [
  { en: 'Explain in three sentences how a rainbow forms.', zh: '用三句话解释彩虹是怎么形成的。' },
  { en: 'Translate into Chinese: The train leaves at half past nine.', zh: '翻译成英文：火车九点半出发。' },
  { en: 'Write a four-line poem about the sea.', zh: '写一首关于大海的四行诗。' },
]

const shapes: Scene = {
  name: 'shapes',
  things: [
    { kind: 'circle', colour: 'red', place: 0 },
    { kind: 'circle', colour: 'blue', place: 4 },
    { kind: 'star', colour: 'purple', place: 2, size: 32 },
    { kind: 'circle', colour: 'green', place: 6 },
    { kind: 'square', colour: 'orange', place: 8 },
  ],
}
const digit: Scene = { name: 'digit', things: [{ kind: 7, colour: 'blue', place: 4, size: 72 }] }
const comes: Scene = {
  name: 'clip 1',
  times: [0, 1, 2, 3, 4, 5],
  things: [
    { kind: 'square', colour: 'blue', place: 3 },
    { kind: 'circle', colour: 'red', place: 2, first: 3 },
  ],
}
const moves: Scene = {
  name: 'clip 2',
  times: [0, 0.5, 1, 1.5, 2],
  things: [
    { kind: 'triangle', colour: 'green', place: 0, way: [15, 0] },
    { kind: 'star', colour: 'purple', place: 7, last: 3 },
  ],
}

const seeing: Example[] = [
  { en: 'What is there?', zh: '图里有什么？', scene: shapes },
  { en: 'How many circles are there?', zh: '图里有几个圆形？', scene: shapes },
  { en: 'Where is the purple star?', zh: '紫色的星形在哪里？', scene: shapes },
  { en: 'Which digit is there?', zh: '图里有什么数字？', scene: digit },
  { en: 'When does the red circle appear?', zh: '红色的圆形什么时候出现？', scene: comes },
  { en: 'When does the purple star vanish?', zh: '紫色的星形什么时候消失？', scene: moves },
  { en: 'Which way does the green triangle move?', zh: '绿色的三角形往哪边移动？', scene: moves },
  { en: 'What happens?', zh: '发生了什么？', scene: moves },
]

/** Where a model sees only pictures, or nothing, it is not asked about more. */
export function examplesFor(model: string, sees: ModelInfo['sees']): Example[] {
  const listed = model === 'pocket' ? pocket : model === 'pocket-v' ? seeing : sees ? [...seeing.slice(0, 4), ...general] : general
  return listed.filter(({ scene }) => !scene || (scene.times ? sees?.video : sees?.picture))
}
