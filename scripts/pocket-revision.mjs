// Writes the embedded models' revisions and bytes into src/model/catalog.ts, after one of models/ was exported anew.
import { createHash } from 'node:crypto'
import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { embedded } from './build.mjs'

const root = fileURLToPath(new URL('..', import.meta.url))
const path = `${root}src/model/catalog.ts`
let text = readFileSync(path, 'utf8')
for (const [name, files] of Object.entries(embedded)) {
  const folder = `${root}models/${name}/`
  if (!existsSync(`${folder}model.safetensors`)) continue
  const bytes = files.reduce((sum, file) => sum + statSync(folder + file).size, 0)
  const weights = readFileSync(`${folder}model.safetensors`)
  const revision = createHash('sha256').update(weights).digest('hex').slice(0, 12)
  const at = text.indexOf(`id: '${name}'`)
  const own = text
    .slice(at)
    .replace(/bytes: [\d_]+/, `bytes: ${bytes}`)
    .replace(/revision: '[0-9a-f]*'/, `revision: '${revision}'`)
  text = text.slice(0, at) + own
  console.log(name, revision, bytes)
}
writeFileSync(path, text)
