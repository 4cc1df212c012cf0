// The first working version, taken from git and built into .cache/bench once: what came since is measured against it.
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, rmSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { cache, root } from './models.mjs'

export const firstCommit = 'f7c4598'

/** Where its dist lies, relative to the repository; throws where git does not have it. */
export function firstVersion() {
  const folder = join(cache, `first-${firstCommit}`)
  const dist = `.cache/bench/first-${firstCommit}/dist`
  if (existsSync(join(folder, '.built'))) return dist
  console.error(`bench: building the first version (${firstCommit})`)
  rmSync(folder, { recursive: true, force: true })
  mkdirSync(folder, { recursive: true })
  const archive = spawnSync('git', ['archive', firstCommit], { cwd: root, maxBuffer: 2 ** 30 })
  if (archive.status !== 0) throw new Error(`git has no ${firstCommit} here`)
  done(spawnSync('tar', ['-x', '-C', folder], { input: archive.stdout }))
  symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'))
  done(spawnSync(process.execPath, ['scripts/build.mjs'], { cwd: folder }))
  done(spawnSync('touch', [join(folder, '.built')]))
  return dist
}

function done({ status, stderr }) {
  if (status !== 0) throw new Error(`the first version does not build: ${String(stderr).trim().split('\n').at(-1)}`)
}
