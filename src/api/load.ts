// loadGlm: starts the worker, loads the model in it, and hands out what the page talks to.
import { GlmError, throwIfAborted } from '../errors.ts'
import { catalog } from '../model/catalog.ts'
import { isLocal, type LocalModel, localEntries } from '../weights/files.ts'
import { formatsAddress } from './cache.ts'
import { Channel, type WireModel } from './channel.ts'
import { createCompletions } from './chat.ts'
import { embedded } from './embedded.ts'
import type { ModelPlan, PlanOptions } from './plan.ts'
import type { AdapterInfo, Glm, LoadOptions, Progress } from './types.ts'

/**
 * Loads a model into a worker of its own.
 *
 * `model` is an id of the catalog (`'pocket'` and `'pocket-v'` are embedded), `owner/name` on the hub with `@revision` and `/file.gguf` where wanted, the address of
 * a .gguf file or of a folder as Hugging Face lays it out, or Files, a Blob or a handle. Throws `GlmError`; after a failure the page can load again.
 */
export async function loadGlm(model: string | LocalModel, options: LoadOptions = {}): Promise<Glm> {
  const { signal } = options
  throwIfAborted(signal)
  const source = resolve(model)
  const channel = new Channel(startWorker(options.createWorker))
  try {
    const { weights, visionWeights, context, kv, exact, headers, hub, memory, powerPreference, cache, verify } = options
    const events = {
      onProgress: (progress: Progress) => options.onProgress?.(progress),
      onWarning: (warning: GlmError) => options.onWarning?.(warning),
    }
    const info = await channel.load(
      {
        model: source,
        tools: toolsAddress(),
        formats: formatsAddress(),
        vision: new URL('./vision.js', import.meta.url).href,
        weights,
        visionWeights,
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
      chat: { completions: createCompletions(channel, info) },
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
  const source = resolve(model)
  const channel = new Channel(startWorker(createWorker))
  try {
    return await channel.plan({ ...rest, model: source, tools: toolsAddress(), formats: formatsAddress() }, signal)
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

/** Beside this module, where bundlers find it. */
const toolsAddress = () => new URL('./tools.js', import.meta.url).href

function startWorker(createWorker?: () => Worker): Worker {
  try {
    return createWorker?.() ?? new Worker(new URL('./worker.js', import.meta.url), { type: 'module' })
  } catch (cause) {
    throw new GlmError('worker_failed', 'The worker could not be started; pass createWorker if the page has a content security policy.', {
      cause,
    })
  }
}

function resolve(model: string | LocalModel): WireModel {
  if (isLocal(model)) return { local: localEntries(model) }
  const known = catalog.find(({ id }) => id === model)
  if (known) {
    const { id, revision, licence, notice, repository, file, sees } = known
    const about = { id, licence, ...(notice ? { notice } : {}) }
    if (repository) return { ...about, name: `${repository}@${revision}/${file}` }
    return { ...about, embedded: { name: `${id}@${revision}`, files: embedded[id]!(), sees } }
  }
  // A worker has a base of its own.
  if (typeof model === 'string') return { name: model, base: globalThis.document?.baseURI ?? globalThis.location.href }
  throw new GlmError('model_unknown', `${JSON.stringify(model)} is no model; pass a name, an address or files.`)
}
