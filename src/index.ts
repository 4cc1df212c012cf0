// The public surface, written by hand. Everything a page can use is here; a test holds it.

export { cache } from './api/cache.ts'
export { gpuInfo, loadGlm, planModel } from './api/load.ts'
export type { ModelChoice, ModelPlan, PlannedFormat, PlannedTensor, PlanOptions } from './api/plan.ts'
export type {
  AdapterInfo,
  AudioPart,
  BenchOptions,
  BenchPhase,
  BenchResult,
  Cache,
  CachedModel,
  ChatChunk,
  ChatCompletion,
  ChatMessage,
  ChatRequest,
  ChatStream,
  ChoiceLogprobs,
  ContentPart,
  FinishReason,
  Glm,
  ImagePart,
  ImageUrlPart,
  LoadOptions,
  ModelInfo,
  Progress,
  RequestOptions,
  SeenReport,
  TextPart,
  TimelinePart,
  Timings,
  TokenLogprob,
  Tool,
  ToolCall,
  TopLogprob,
  Usage,
  VideoPart,
  WeightsFormat,
} from './api/types.ts'
export { errorCodes, GlmError, type GlmErrorCode } from './errors.ts'
/** Time, and the media that have one: the list stands there. */
export * from './media/index.ts'
export { type CatalogEntry, catalog } from './model/catalog.ts'
/** What a phone agent answered, read and never carried out: the list stands there. */
export * from './text/agent.ts'
export { type FileEntry, fromDrop, type LocalModel } from './weights/files.ts'
