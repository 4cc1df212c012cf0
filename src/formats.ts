// What reads a model that is no plain safetensors folder. The worker fetches this file (dist/formats.js) when it first meets one.
export { readForeign } from './engine/foreign.ts'
export { readGguf } from './engine/gguf.ts'
