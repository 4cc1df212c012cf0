// The cache as a page handles it. What it does comes with the lazy bundle: a page that only chats with the embedded model needs none of it.
import type { Cache } from './types.ts'

/** Beside this module, where bundlers find it. */
export const formatsAddress = () => new URL('./formats.js', import.meta.url).href

const fetchFormats = (address = formatsAddress()): Promise<typeof import('../formats.ts')> =>
  import(/* @vite-ignore */ /* webpackIgnore: true */ address)

export const cache: Cache = {
  list: async () => (await fetchFormats()).cache.list(),
  size: async () => (await fetchFormats()).cache.size(),
  delete: async (name) => (await fetchFormats()).cache.delete(name),
  repair: async (name) => (await fetchFormats()).cache.repair(name),
  export: async (name, folder) => (await fetchFormats()).cache.export(name, folder),
  import: async (folder) => (await fetchFormats()).cache.import(folder),
  // Asked at once: the browser wants to see the click.
  persist: async () => (await globalThis.navigator?.storage?.persist?.()) ?? false,
}
