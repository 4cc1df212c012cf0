// What to ask first. The embedded model was trained on these kinds of question; other models get more general ones.
import type { Language } from './language.ts'

type Example = Record<Language, string>

const pocket: Example[] = [
  { en: 'What can you do?', zh: '你会什么？' },
  { en: 'What is 45 + 23?', zh: '27加15等于多少？' },
  { en: 'Sort these words: tree apple moon', zh: '把这些单词排序：tree apple moon' },
  { en: 'Spell TIGER backwards.', zh: '把单词 TIGER 倒过来' },
  { en: 'What day comes after Friday?', zh: '星期五的后一天是星期几？' },
  { en: 'How many letters are in COFFEE?', zh: 'COFFEE 有几个字母？' },
  { en: 'How many minutes are in 3 hours?', zh: '3小时是多少分钟？' },
  { en: 'Anna lives in Paris and is 34 years old. Give me that as JSON.', zh: '小明今年8岁，住在北京。请转成 JSON。' },
]

const general: Example[] = [
  { en: 'Explain in three sentences how a rainbow forms.', zh: '用三句话解释彩虹是怎么形成的。' },
  { en: 'Translate into Chinese: The train leaves at half past nine.', zh: '翻译成英文：火车九点半出发。' },
  { en: 'Write a four-line poem about the sea.', zh: '写一首关于大海的四行诗。' },
]

export const examplesFor = (model: string): Example[] => (model === 'pocket' ? pocket : general)
