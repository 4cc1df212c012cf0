import type { Job } from './types.mjs'
export function benchArguments(job: Job, model: string): string[]
