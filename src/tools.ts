// What a text chat does without: the bench, the tuner and the plan. The worker fetches this file (dist/tools.js) when it first wants one of them.
import type { Gpu } from './gpu/device.ts'
import { tunedKey as keyOf } from './gpu/tuned.ts'
import { fetched } from './kernels/fetched_files.ts'
import { addFiles, kernelSources } from './kernels/loading_files.ts'
import { toolFiles } from './kernels/tool_files.ts'

export { bench } from './engine/bench.ts'
export { planModel } from './engine/plan.ts'
export { tuneModel } from './engine/tuning.ts'
export { readTuned, tunedStore } from './gpu/tuned.ts'

/** Of variants that only a tuner chooses, and of sampling that most chats do without. */
export const shaders = { ...fetched, ...toolFiles }

addFiles(shaders)

/** What a record of the tuner holds for: this adapter, and these kernels. */
export const tunedKey = (gpu: Gpu): Promise<string> => keyOf(gpu, kernelSources())
