// loadGlm: starts the worker, loads the model in it, and hands out what the page talks to.
import { GlmError, throwIfAborted } from '../errors.ts'
import { catalog } from '../model/catalog.ts'
import { isLocal, type LocalModel, localEntries } from '../weights/files.ts'
import { placeOf } from '../weights/place.ts'
import { Channel, type WireModel } from './channel.ts'
import { createCompletions } from './chat.ts'
import { embedded } from './embedded.ts'
import type { ModelPlan, PlanOptions } from './plan.ts'
import type { AdapterInfo, Glm, LoadOptions, Progress } from './types.ts'

/**
 * Loads a model into a worker of its own.
 *
 * `model` is an id of the catalog (`'pocket'` is embedded), `owner/name` on the hub with `@revision` and `/file.gguf` where wanted, the address of
 * a .gguf file or of a folder as Hugging Face lays it out, or Files, a Blob or a handle. Throws `GlmError`; after a failure the page can load again.
 */
export async function loadGlm(model: string | LocalModel, options: LoadOptions = {}): Promise<Glm> {
  const { signal } = options
  throwIfAborted(signal)
  const source = resolve(model, options.hub)
  const channel = new Channel(startWorker(options.createWorker))
  try {
    const { weights, context, kv, exact, headers, hub, memory, powerPreference, cache, verify } = options
    const events = {
      onProgress: (progress: Progress) => options.onProgress?.(progress),
      onWarning: (warning: GlmError) => options.onWarning?.(warning),
    }
    const info = await channel.load(
      {
        model: source,
        tools: new URL('./tools.js', import.meta.url).href,
        formats: new URL('./formats.js', import.meta.url).href,
        weights,
        context,
        kv,
        exact,
        headers,
        hub,
        memory,
        powerPreference,
        cache,
        verify,
      },
      events,
      signal,
    )
    return {
      model: info,
      chat: { completions: createCompletions(channel, source.id) },
      bench: (options = {}) => channel.bench(options),
      close: () => channel.close(),
    }
  } catch (error) {
    channel.terminate()
    throw error
  }
}

/** What a model takes of network and GPU, told from its headers before anything else is downloaded. */
export async function planModel(
  model: string | LocalModel,
  options: PlanOptions & Pick<LoadOptions, 'hub' | 'headers' | 'powerPreference' | 'createWorker' | 'signal'> = {},
): Promise<ModelPlan> {
  const { createWorker, signal, ...rest } = options
  throwIfAborted(signal)
  const source = resolve(model, options.hub)
  const channel = new Channel(startWorker(createWorker))
  try {
    return await channel.plan({ ...rest, model: source, formats: new URL('./formats.js', import.meta.url).href }, signal)
  } finally {
    channel.terminate()
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

/** A page of the hub rather than files: huggingface.co, hf.co. */
const hubPage = /^https:\/\/(huggingface\.co|hf\.co)\//i

function resolve(model: string | LocalModel, hub?: string): WireModel {
  if (isLocal(model)) return { id: 'files', local: localEntries(model) }
  const known = catalog.find(({ id }) => id === model)
  if (known) {
    const { id, revision, licence, notice, repository, file } = known
    const about = { id, licence, ...(notice ? { notice } : {}) }
    if (repository) return { ...about, hub: `${repository}@${revision}/${file}` }
    return { ...about, place: { name: `${id}@${revision}`, base: new URL('./', import.meta.url).href, files: embedded() } }
  }
  if (typeof model === 'string') {
    if (hubPage.test(model) || (hub && model.startsWith(hub))) return { id: model, hub: model }
    if (/^(https?:|\.{0,2}\/)/.test(model)) {
      const place = placeOf(model, globalThis.document?.baseURI ?? globalThis.location.href)
      return { id: place.name, place }
    }
    if (/^(hf:)?[\w.-]+\/[\w.-]/.test(model)) return { id: model, hub: model }
  }
  throw new GlmError(
    'model_unknown',
    `The model ${JSON.stringify(model)} is not known; use ${catalog.map(({ id }) => `'${id}'`).join(', ')}, owner/name on the hub, an address, or files.`,
  )
}
