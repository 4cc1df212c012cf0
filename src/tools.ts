// What a text chat does without: the bench and the tuner. The worker fetches this file (dist/tools.js) when it first wants one of them.
export { bench } from './engine/bench.ts'
export { tuneModel } from './engine/tuning.ts'
export { readTuned, tunedKey, tunedStore } from './gpu/tuned.ts'
