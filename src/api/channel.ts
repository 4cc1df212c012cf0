// Both ends of the wire between page and worker, and the only file that knows comlink. It cures what comlink lacks: error codes cross whole
// (calls answer with an envelope), an AbortSignal reaches the worker (as a message on the call's port), and a dead worker rejects what waits.
import * as comlink from 'comlink'
import type { Part } from '../engine/parts.ts'
import type { ShownRequest } from '../engine/request.ts'
import { asGlmError, GlmError } from '../errors.ts'
import type { FileEntry } from '../weights/files.ts'
import type { ModelPlan, PlanOptions } from './plan.ts'
import type { AdapterInfo, BenchOptions, BenchPhase, BenchResult, LoadOptions, ModelInfo, Progress, WireError } from './types.ts'

/** Where the worker reads a model from. Addresses are absolute: a worker has a base of its own. */
export interface WireModel {
  /** What the catalog calls it; others are called by where they lie. */
  id?: string
  /** The files that ship with the package; `sees`: it has a tower. */
  embedded?: { name: string; files: Record<string, string>; sees: boolean }
  /** A repository on the hub, or an address (weights/place.ts), taken from the page's base. */
  name?: string
  base?: string
  /** Files of this machine: a handle, or files with their paths. */
  local?: FileSystemHandle | FileEntry[]
  licence?: string
  notice?: string
}

export type WireLoad = Pick<
  LoadOptions,
  'weights' | 'visionWeights' | 'context' | 'kv' | 'exact' | 'headers' | 'hub' | 'memory' | 'powerPreference' | 'cache' | 'verify'
> & {
  model: WireModel
  /** Addresses of tools.js, formats.js and vision.js. */
  tools: string
  formats: string
  vision: string
}

export type WirePlan = PlanOptions & Pick<WireLoad, 'model' | 'tools' | 'formats' | 'headers' | 'hub' | 'powerPreference'>

/** Functions and signals do not cross. */
export type WireBench = Omit<BenchOptions, 'signal' | 'onProgress'>

/** What flows beside a load. */
export interface LoadEvents {
  onProgress: (progress: Progress) => void
  onWarning: (warning: GlmError) => void
}

/** What the worker serves. A port carries what flows beside the call: progress or parts one way, `abort` the other. */
export interface WorkerSide {
  load(options: WireLoad, events: LoadEvents, signal: AbortSignal): Promise<ModelInfo>
  chat(request: ShownRequest, onPart: (part: Part) => void, signal: AbortSignal): Promise<void>
  bench(options: WireBench, onPhase: (phase: BenchPhase) => void, signal: AbortSignal): Promise<BenchResult>
  plan(options: WirePlan, signal: AbortSignal): Promise<ModelPlan>
  adapter(powerPreference?: GPUPowerPreference): Promise<AdapterInfo>
  close(): Promise<void>
}

/** An answer or an error; no union, which comlink's types would pull apart. */
interface Envelope<T> {
  value?: T
  error?: WireError
}

interface Wire {
  load(options: WireLoad, port: MessagePort): Promise<Envelope<ModelInfo>>
  chat(request: ShownRequest, port: MessagePort): Promise<Envelope<void>>
  bench(options: WireBench, port: MessagePort): Promise<Envelope<BenchResult>>
  plan(options: WirePlan, port: MessagePort): Promise<Envelope<ModelPlan>>
  adapter(powerPreference?: GPUPowerPreference): Promise<Envelope<AdapterInfo>>
  close(): Promise<Envelope<void>>
}

export function toWire(error: unknown): WireError {
  const { code, message, stack, cause } = asGlmError(error)
  return { code, message, ...(stack ? { stack } : {}), ...(cause === undefined ? {} : { cause: String(cause) }) }
}

export function fromWire(error: WireError): GlmError {
  return new GlmError(error.code, error.message, error.cause === undefined ? {} : { cause: error.cause })
}

// ── the worker's end ────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────

/** Serves calls on the worker's global scope. */
export function serve(side: WorkerSide): void {
  const wire: Wire = {
    load: (options, port) => {
      const events: LoadEvents = {
        onProgress: (progress) => port.postMessage([progress]),
        onWarning: (warning) => port.postMessage([{ warning: toWire(warning) }]),
      }
      return answer(() => side.load(options, events, abortOf(port)))
    },
    chat: async (request, port) => {
      const send = batched(port)
      const envelope = await answer(() => side.chat(request, send, abortOf(port)))
      // The end of a stream is in the stream: a failure too.
      if (envelope.error) send({ type: 'error', error: envelope.error })
      return envelope
    },
    bench: (options, port) => answer(() => side.bench(options, (phase) => port.postMessage([phase]), abortOf(port))),
    plan: (options, port) => answer(() => side.plan(options, abortOf(port))),
    adapter: (powerPreference) => answer(() => side.adapter(powerPreference)),
    close: () => answer(() => side.close()),
  }
  comlink.expose(wire)
}

async function answer<T>(work: () => Promise<T>): Promise<Envelope<T>> {
  try {
    return { value: await work() }
  } catch (error) {
    return { error: toWire(error) }
  }
}

function abortOf(port: MessagePort): AbortSignal {
  const controller = new AbortController()
  port.onmessage = ({ data }) => {
    if (data === 'abort') controller.abort()
  }
  return controller.signal
}

/** Parts of one turn of the event loop go in one message. */
function batched(port: MessagePort): (part: Part) => void {
  let parts: Part[] = []
  return (part) => {
    if (parts.length === 0) {
      queueMicrotask(() => {
        port.postMessage(parts)
        parts = []
      })
    }
    parts.push(part)
  }
}

// ── the page's end ──────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────

/** A connection to one worker. */
export class Channel {
  readonly #worker: Worker
  readonly #wire: comlink.Remote<Wire>
  readonly #waiting = new Set<(error: GlmError) => void>()
  #dead: GlmError | undefined

  constructor(worker: Worker) {
    this.#worker = worker
    this.#wire = comlink.wrap<Wire>(worker)
    worker.addEventListener('error', (event) => {
      const reason = event.message ? ` (${event.message})` : ''
      this.#die(
        new GlmError(
          'worker_failed',
          `The worker could not start or broke down${reason}; check the address of worker.js and the page's security policy, then load again.`,
        ),
      )
    })
  }

  load(options: WireLoad, events: LoadEvents, signal?: AbortSignal): Promise<ModelInfo> {
    return this.#call(
      (port) => this.#wire.load(options, comlink.transfer(port, [port])),
      (data) => {
        const event = data as Progress | { warning: WireError }
        if ('warning' in event) events.onWarning(fromWire(event.warning))
        else events.onProgress(event)
      },
      signal,
    )
  }

  /** Starts an answer; parts come through `onPart`, its end and its failure too. Pixels go over, and are not copied. */
  chat(request: ShownRequest, onPart: (part: Part) => void, signal?: AbortSignal): void {
    this.#call(
      (port) => this.#wire.chat(comlink.transfer(request, request.pixels ?? []), comlink.transfer(port, [port])),
      (part) => onPart(part as Part),
      signal,
    ).catch((error) => onPart({ type: 'error', error: toWire(error) }))
  }

  bench({ signal, onProgress, ...options }: BenchOptions): Promise<BenchResult> {
    return this.#call(
      (port) => this.#wire.bench(options, comlink.transfer(port, [port])),
      (phase) => onProgress?.(phase as BenchPhase),
      signal,
    )
  }

  plan(options: WirePlan, signal?: AbortSignal): Promise<ModelPlan> {
    return this.#call(
      (port) => this.#wire.plan(options, comlink.transfer(port, [port])),
      () => {},
      signal,
    )
  }

  async adapter(powerPreference?: GPUPowerPreference): Promise<AdapterInfo> {
    if (this.#dead) throw this.#dead
    return open(await this.#race(this.#wire.adapter(powerPreference)))
  }

  /** Lets the worker free the GPU, then ends it. What still waits is rejected with `closed`. */
  async close(): Promise<void> {
    if (this.#dead) return
    await this.#race(this.#wire.close()).catch(() => {})
    this.#die(new GlmError('closed', 'The model was closed; load it again.'))
  }

  /** Ends the worker at once. */
  terminate(): void {
    this.#die(new GlmError('closed', 'The model was closed; load it again.'))
  }

  async #call<T>(start: (port: MessagePort) => Promise<Envelope<T>>, onData: (data: unknown) => void, signal?: AbortSignal): Promise<T> {
    if (this.#dead) throw this.#dead
    const { port1, port2 } = new MessageChannel()
    port1.onmessage = ({ data }: MessageEvent<unknown[]>) => data.forEach(onData)
    const abort = () => port1.postMessage('abort')
    signal?.addEventListener('abort', abort)
    if (signal?.aborted) abort()
    try {
      return open(await this.#race(start(port2)))
    } finally {
      signal?.removeEventListener('abort', abort)
      // What was posted before the answer may still be on its way: the port closes after it.
      setTimeout(() => port1.close(), 1000)
    }
  }

  /** comlink's calls never settle once the worker is gone. */
  #race<T>(call: Promise<T>): Promise<T> {
    if (this.#dead) return Promise.reject(this.#dead)
    return new Promise<T>((resolve, reject) => {
      this.#waiting.add(reject)
      call.then(resolve, reject).finally(() => this.#waiting.delete(reject))
    })
  }

  #die(error: GlmError): void {
    if (this.#dead) return
    this.#dead = error
    this.#wire[comlink.releaseProxy]()
    this.#worker.terminate()
    for (const reject of this.#waiting) reject(error)
    this.#waiting.clear()
  }
}

function open<T>(envelope: Envelope<T>): T {
  if (envelope.error) throw fromWire(envelope.error)
  return envelope.value as T
}
