// The way in to the preparer, which is fetched with the first picture or sound that a model is to read.
import type { Preparer, PreparerOptions } from './prepare.ts'

/** Opens what resizes, normalises and patchifies pictures, and makes log-mels of sound, on the GPU. Close it when done. */
export async function openPreparer(options: PreparerOptions = {}): Promise<Preparer> {
  const prepare = await import('./prepare.ts')
  return prepare.openPreparer(options)
}
