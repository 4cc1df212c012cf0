// A repository on a hub or files of this machine → a source of one model: where several lie there, one is chosen.
import { GlmError } from '../errors.ts'
import { type ChooseOptions, type Chosen, narrow } from './choose.ts'
import { filesSource, type LocalModel } from './files.ts'
import { type HubOptions, hubSource, parseModelName } from './hub.ts'
import type { Source } from './source.ts'

export interface Opened {
  source: Source
  /** What was chosen, and of what; absent where there was nothing to choose. */
  chosen?: Chosen
}

/** `owner/name@revision/file.gguf`, or a page's address on the hub. Throws `model_unknown` for anything else. */
export async function openHub(
  text: string,
  options: Pick<HubOptions, 'hub' | 'fetch' | 'headers' | 'pause' | 'signal'> & ChooseOptions = {},
): Promise<Opened> {
  const name = parseModelName(text, options.hub)
  if (!name) throw new GlmError('model_unknown', `${JSON.stringify(text)} names no model on a hub; use owner/name@revision/file.gguf.`)
  return narrow(await hubSource({ ...options, ...name }), options)
}

/** Files that a person gave a page. */
export async function openFiles(model: LocalModel, options: ChooseOptions & { signal?: AbortSignal } = {}): Promise<Opened> {
  return narrow(await filesSource(model, options.signal), options)
}
