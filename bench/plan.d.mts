import type { Options } from './options.mjs'
import type { Job } from './types.mjs'
export const choices: string[]
export function plan(options: Options): Job[]
