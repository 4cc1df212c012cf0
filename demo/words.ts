// Every sentence of the page that is not in an error. Each language has a file of its own.
import type { Language } from './language.ts'
import { en, type Word } from './words/en.ts'
import { zh } from './words/zh.ts'

export type { Word }

export const words: Record<Language, Record<Word, string>> = { en, zh }
