// The one error class. Its code comes from a closed list; its message is a sentence that says what to do.

/** Every code a `GlmError` can carry, with what it means. */
export const errorCodes = {
  gpu_missing: 'The browser or Node has no WebGPU at all.',
  adapter_missing: 'WebGPU is there, but no adapter was given, or it lacks what the engine needs.',
  device_lost: 'The GPU device was lost; load the model again.',
  out_of_memory: 'The GPU or the page could not give the memory asked for.',
  file_missing: 'A file of the model is not at its address.',
  file_truncated: 'A file is shorter than its own header or index says.',
  file_invalid: 'A file is malformed.',
  tensor_invalid: 'A tensor is missing, or has the wrong shape or dtype.',
  weights_invalid: 'The weights hold NaN or infinity.',
  family_unknown: 'The checkpoint is of a family that is not supported.',
  config_unsupported: 'A field of config.json asks for something the engine does not do.',
  model_unknown: 'The model name is neither embedded, nor a URL, nor a folder.',
  prompt_too_long: 'The prompt does not fit the context.',
  messages_invalid: 'The messages are empty or malformed.',
  request_invalid: 'An option or a request field has a bad value.',
  template_invalid: 'The chat template or the tokenizer cannot be used.',
  quota_exceeded: 'The browser has no room left for the cache.',
  network_failed: 'A request failed; the page may be offline.',
  aborted: 'The caller aborted.',
  worker_failed: 'The worker could not be started, or died.',
  closed: 'The model was closed before or during the call.',
  internal: 'A fault of this package.',
} as const

export type GlmErrorCode = keyof typeof errorCodes

/** What every failure of this package is: one sentence that says what to do, and a `code` to branch on. */
export class GlmError extends Error {
  readonly code: GlmErrorCode

  constructor(code: GlmErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options)
    this.name = 'GlmError'
    this.code = code
  }

  /** tools.js and formats.js have a GlmError of their own: it is one all the same. */
  static override [Symbol.hasInstance](error: unknown): boolean {
    return (error as Error | undefined)?.name === 'GlmError'
  }
}

/** Turns whatever was thrown into a `GlmError`; one that already is stays as it is. */
export function asGlmError(error: unknown, code: GlmErrorCode = 'internal', prefix = ''): GlmError {
  if (error instanceof GlmError) return error
  const text = error instanceof Error ? error.message : String(error)
  return new GlmError(code, prefix + text, { cause: error })
}

/** Throws `aborted` when the signal says so; the caller's reason is kept as the cause. */
export function throwIfAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw new GlmError('aborted', 'The call was aborted.', { cause: signal.reason })
}
