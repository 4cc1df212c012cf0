// A copy of the machine's Chromium whose WebGPU runs on Mesa's lavapipe: shader-f16 and subgroups of 8 in a real browser without a GPU.
// (SwiftShader, which every Chromium brings, has no f16 and subgroups of 4.) `libvk_swiftshader.so` in the copy is our shim, lavapipe-icd.c.
// The GPU sandbox would not let it open Mesa, so launch the copy with --disable-gpu-sandbox beside the usual flags of test/adapters.ts.
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import {
  constants,
  copyFileSync,
  existsSync,
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { homedir } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const shim = fileURLToPath(new URL('./lavapipe-icd.c', import.meta.url))
const driver = 'libvk_swiftshader.so'

/** Path of the copy's executable; made where it is missing or made from another Chromium, Mesa or shim. */
export function chromiumLavapipe({ chrome, lavapipe, install = true, log = console.error, aptInstall = () => false }) {
  const { folder, binary } = original(chrome)
  const library = JSON.parse(readFileSync(lavapipe, 'utf8')).ICD.library_path
  const marks = [join(folder, binary), lavapipe].map((file) => `${statSync(file).size}.${statSync(file).mtimeMs}`)
  const stamp = JSON.stringify([folder, ...marks, createHash('sha256').update(readFileSync(shim)).digest('hex')])
  const copy = join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'glm-webgpu/chromium-lavapipe')
  const stampFile = join(copy, 'made-from.json')
  if (existsSync(stampFile) && readFileSync(stampFile, 'utf8') === stamp) return join(copy, binary)
  if (!install) throw new Error('the copy of Chromium is not made yet; run `node scripts/setup.mjs`.')
  if (!hasCompiler() && !(aptInstall(['gcc', 'libc6-dev'], log) && hasCompiler()))
    throw new Error('it needs a C compiler (cc) for the shim.')

  log(`making a copy of ${folder} that runs on lavapipe.`)
  const draft = `${copy}.${process.pid}`
  copyFolder(folder, draft)
  giveTheRealOneToWebGL(draft)
  compile(library, join(draft, driver))
  writeFileSync(join(draft, basename(stampFile)), stamp)
  rmSync(copy, { recursive: true, force: true })
  renameSync(draft, copy)
  return join(copy, binary)
}

/** The folder that holds the binary and its SwiftShader: the executable's own, or Debian's, whose /usr/bin/chromium is a script. */
function original(chrome) {
  const own = realpathSync(chrome)
  const candidates = [own, '/usr/lib/chromium/chromium', '/usr/lib/chromium-browser/chromium-browser', '/opt/google/chrome/chrome']
  const found = candidates.find((file) => existsSync(file) && existsSync(join(dirname(file), driver)))
  if (!found) throw new Error(`${chrome} has no ${driver} beside it, so there is nothing to replace.`)
  return { folder: dirname(found), binary: basename(found) }
}

const hasCompiler = () => spawnSync('cc', ['--version']).status === 0

/** Hard links where the file system allows them: Chromium is 350 MB, and it finds its own folder through /proc/self/exe, so no symlinks. */
function copyFolder(from, to) {
  rmSync(to, { recursive: true, force: true })
  mkdirSync(to, { recursive: true })
  for (const entry of readdirSync(from, { withFileTypes: true })) {
    const [source, target] = [join(from, entry.name), join(to, entry.name)]
    if (entry.isDirectory()) copyFolder(source, target)
    else linkOrCopy(realpathSync(source), target)
  }
}

function linkOrCopy(source, target) {
  try {
    linkSync(source, target)
  } catch {
    copyFileSync(source, target, constants.COPYFILE_FICLONE)
  }
}

/** WebGL asks for SwiftShader by this ICD file and goes on with the real one. */
function giveTheRealOneToWebGL(folder) {
  renameSync(join(folder, driver), join(folder, 'libvk_swiftshader_webgl.so'))
  const icd = join(folder, 'vk_swiftshader_icd.json')
  if (!existsSync(icd)) return
  const description = JSON.parse(readFileSync(icd, 'utf8'))
  description.ICD.library_path = './libvk_swiftshader_webgl.so'
  rmSync(icd) // it may be a hard link: a new file, not new text in the old one
  writeFileSync(icd, JSON.stringify(description))
}

function compile(library, target) {
  const { status, stderr } = spawnSync('cc', ['-shared', '-fPIC', '-O2', `-DLAVAPIPE="${library}"`, '-o', target, shim, '-ldl'], {
    encoding: 'utf8',
  })
  if (status !== 0) throw new Error(`the shim does not compile: ${stderr}`)
}
