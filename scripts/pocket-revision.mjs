// Writes the embedded model's revision and bytes into src/model/catalog.ts, after models/pocket was exported anew.
import { createHash } from 'node:crypto'
import { readFileSync, statSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { pocketFiles } from './build.mjs'

const root = fileURLToPath(new URL('..', import.meta.url))
const bytes = pocketFiles.reduce((sum, file) => sum + statSync(`${root}models/pocket/${file}`).size, 0)
const revision = createHash('sha256')
  .update(readFileSync(`${root}models/pocket/model.safetensors`))
  .digest('hex')
  .slice(0, 12)
const path = `${root}src/model/catalog.ts`
const text = readFileSync(path, 'utf8')
writeFileSync(path, text.replace(/bytes: [\d_]+/, `bytes: ${bytes}`).replace(/revision: '[0-9a-f]*'/, `revision: '${revision}'`))
console.log(revision, bytes)
