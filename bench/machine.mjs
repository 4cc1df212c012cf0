// What a run was taken on: date, commit, versions, processors, load.
import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { cpus, loadavg } from 'node:os'
import { join } from 'node:path'
import { root } from './models.mjs'

/** `{ date, commit, processors, load, versions }`, before anything is measured. */
export function machine(commit = commitOf()) {
  const [cpu] = cpus()
  return {
    date: new Date().toISOString().slice(0, 16).replace('T', ' '),
    commit,
    processors: `${cpus().length} x ${cpu?.model.trim() ?? 'unknown'}`,
    load: load(),
    versions: { Node: process.versions.node, Dawn: packageVersion('webgpu'), Mesa: mesa(), wllama: packageVersion('@wllama/wllama') },
  }
}

/** Load average over the last minute. */
export const load = () => Number(loadavg()[0].toFixed(1))

function commitOf() {
  const short = run('git', ['rev-parse', '--short', 'HEAD'])
  if (!short) return 'unknown'
  return run('git', ['status', '--porcelain', '--', 'src', 'shaders']) ? `${short} with changes` : short
}

function packageVersion(name) {
  const file = join(root, 'node_modules', name, 'package.json')
  return existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')).version : undefined
}

const mesa = () => /^Version: (.+)$/m.exec(run('dpkg-query', ['-s', 'mesa-vulkan-drivers']))?.[1]

function run(command, args) {
  const { status, stdout } = spawnSync(command, args, { cwd: root, encoding: 'utf8' })
  return status === 0 ? stdout.trim() : ''
}
