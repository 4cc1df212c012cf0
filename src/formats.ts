// What a chat with the embedded model does without: models from elsewhere, in whatever format, downloaded and kept. The worker fetches
// this file (dist/formats.js) when it first wants one of them.

export { loadFitting } from './engine/fitting.ts'
export { readForeign } from './engine/foreign.ts'
export { readGguf } from './engine/gguf.ts'
export { openModel, planPlace } from './engine/place.ts'
export { fetched as shaders } from './kernels/fetched_files.ts'

import { keptName } from './engine/kept.ts'
import { addFiles } from './kernels/loading_files.ts'
import { loadingOthers } from './kernels/loading_others.ts'
import { exportModel, importModel, repairCache } from './weights/carry.ts'
import { cacheSize, deleteFromCache, listCache } from './weights/store.ts'

// What it codes anew itself.
addFiles(loadingOthers)

export const cache = {
  list: () => listCache(),
  size: () => cacheSize(),
  /** The files of a model, and what was made of them. */
  delete: async (name: string) => {
    for (const row of [name, keptName(name, 'q4'), keptName(name, 'q8')]) await deleteFromCache(row)
  },
  repair: (name: string) => repairCache(name),
  export: (name: string, folder: FileSystemDirectoryHandle) => exportModel(name, folder),
  import: (folder: FileSystemDirectoryHandle) => importModel(folder),
}
