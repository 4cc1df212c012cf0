// loadGlm: starts the worker, loads the model in it, and hands out what the page talks to.
import { GlmError, throwIfAborted } from '../errors.ts'
import { catalog } from '../model/catalog.ts'
import { Channel, type WireModel } from './channel.ts'
import { createCompletions } from './chat.ts'
import { embedded } from './embedded.ts'
import type { AdapterInfo, Glm, LoadOptions, Progress } from './types.ts'

/**
 * Loads a model into a worker of its own.
 *
 * `model` is `'pocket'` (embedded, no download) or the base URL of a folder with `config.json`, safetensors weights, `tokenizer.json` and a
 * chat template, as Hugging Face lays them out. Throws `GlmError`; after a failure the page can load again.
 */
export async function loadGlm(model: string, options: LoadOptions = {}): Promise<Glm> {
  const { signal } = options
  throwIfAborted(signal)
  const source = resolve(model)
  const channel = new Channel(startWorker(options.createWorker))
  try {
    const { weights, context, kv, exact, headers, powerPreference, cache, verify } = options
    const events = {
      onProgress: (progress: Progress) => options.onProgress?.(progress),
      onWarning: (warning: GlmError) => options.onWarning?.(warning),
    }
    const info = await channel.load(
      {
        model: source,
        tools: new URL('./tools.js', import.meta.url).href,
        weights,
        context,
        kv,
        exact,
        headers,
        powerPreference,
        cache,
        verify,
      },
      events,
      signal,
    )
    return {
      model: info,
      chat: { completions: createCompletions(channel, model) },
      bench: (options = {}) => channel.bench(options),
      close: () => channel.close(),
    }
  } catch (error) {
    channel.terminate()
    throw error
  }
}

/** What the GPU is that a model would run on. Throws `gpu_missing` or `adapter_missing`. */
export async function gpuInfo(options: Pick<LoadOptions, 'createWorker' | 'powerPreference'> = {}): Promise<AdapterInfo> {
  const channel = new Channel(startWorker(options.createWorker))
  try {
    return await channel.adapter(options.powerPreference)
  } finally {
    channel.terminate()
  }
}

function startWorker(createWorker?: () => Worker): Worker {
  try {
    return createWorker?.() ?? new Worker(new URL('./worker.js', import.meta.url), { type: 'module' })
  } catch (cause) {
    throw new GlmError('worker_failed', 'The worker could not be started; pass createWorker if the page has a content security policy.', {
      cause,
    })
  }
}

function resolve(model: string): WireModel {
  const known = catalog.find(({ id }) => id === model)
  if (known)
    return {
      id: known.id,
      name: `${known.id}@${known.revision}`,
      base: new URL('./', import.meta.url).href,
      files: embedded(),
      licence: known.licence,
    }
  if (typeof model === 'string' && /^(https?:|\.{0,2}\/)/.test(model)) {
    const base = new URL(model.endsWith('/') ? model : `${model}/`, globalThis.document?.baseURI ?? globalThis.location.href).href
    return { id: base, name: base, base }
  }
  throw new GlmError(
    'model_unknown',
    `The model ${JSON.stringify(model)} is not known; use ${catalog.map(({ id }) => `'${id}'`).join(', ')} or the base URL of a model folder.`,
  )
}
