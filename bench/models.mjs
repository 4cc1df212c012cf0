// The model files of a shape, written once into .cache/bench and used again while the scripts that wrote them stay as they are.
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { writeCheckpoint } from './checkpoint.mjs'
import { writeGguf } from './gguf.mjs'
import { shapeOf } from './shapes.mjs'

export const root = fileURLToPath(new URL('..', import.meta.url))
export const cache = join(root, '.cache/bench')

const writers = ['shapes', 'random', 'vocabulary', 'checkpoint', 'gguf']
const stamp = createHash('sha256')
  .update(writers.map((name) => readFileSync(new URL(`${name}.mjs`, import.meta.url))).join(''))
  .digest('hex')

/** Our folder of a shape, relative to the repository; the embedded model stands for its own shape. */
export const checkpointOf = (name) => (name === 'pocket' ? 'pocket' : once(name, (path) => writeCheckpoint(path, shapeOf(name))))

/** The peer's file of a shape, relative to the repository. */
export const ggufOf = (name) => once(`${name}.gguf`, (path) => writeGguf(path, shapeOf(name)))

function once(name, write) {
  const [path, mark] = [join(cache, name), join(cache, `${name}.made-by`)]
  const relative = `.cache/bench/${name}`
  if (existsSync(path) && existsSync(mark) && readFileSync(mark, 'utf8') === stamp) return relative
  console.error(`bench: writing ${relative}`)
  mkdirSync(cache, { recursive: true })
  const draft = `${path}.${process.pid}`
  write(draft)
  rmSync(path, { recursive: true, force: true })
  renameSync(draft, path)
  writeFileSync(mark, stamp)
  return relative
}
