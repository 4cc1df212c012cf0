// What a chat with the embedded model or a plain safetensors folder does without: other formats and places, and the plan. The worker fetches
// this file (dist/formats.js) when it first wants one of them.
export { readForeign } from './engine/foreign.ts'
export { readGguf } from './engine/gguf.ts'
export { planModel } from './engine/plan.ts'
export { openFiles, openHub } from './weights/open.ts'
