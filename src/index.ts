// The public surface, written by hand. Everything a page can use is here; a test holds it.
export { gpuInfo, loadGlm } from './api/load.ts'
export type {
  AdapterInfo,
  Cache,
  CachedModel,
  ChatChunk,
  ChatCompletion,
  ChatMessage,
  ChatRequest,
  ChatStream,
  FinishReason,
  Glm,
  LoadOptions,
  ModelInfo,
  Progress,
  RequestOptions,
  TextPart,
  Timings,
  Tool,
  ToolCall,
  Usage,
  WeightsFormat,
} from './api/types.ts'
export { errorCodes, GlmError, type GlmErrorCode } from './errors.ts'
export { type CatalogEntry, catalog } from './model/catalog.ts'
export { cache } from './weights/cache.ts'
