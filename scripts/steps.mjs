// The single steps of `npm test` and `npm run check`. Each runs as a child; counts come back from vitest's JSON report.
import { spawn, spawnSync } from 'node:child_process'
import { mkdirSync, readFileSync, rmSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))

/** Runs a JavaScript command of a package we have, by its file: no shell, the same on every system. True when it ended well. */
function command(file, args, { env = {}, timeout = 300_000 } = {}) {
  const path = join(root, 'node_modules', file)
  const { status } = spawnSync(process.execPath, [path, ...args], { cwd: root, stdio: 'inherit', timeout, env: { ...process.env, ...env } })
  return status === 0
}

export const lint = () => command('@biomejs/biome/bin/biome', ['check', '.'])

export const types = () => command('typescript/bin/tsc', ['--noEmit', '-p', 'tsconfig.json'])

/** The same without waiting; what it prints comes in one piece at its end, so that two of them stay readable. */
function commandBeside(file, args, { env = {}, timeout }) {
  const options = { cwd: root, stdio: ['ignore', 'pipe', 'pipe'], timeout, env: { ...process.env, ...env } }
  const child = spawn(process.execPath, [join(root, 'node_modules', file), ...args], options)
  const printed = []
  child.stdout.on('data', (chunk) => printed.push(chunk))
  child.stderr.on('data', (chunk) => printed.push(chunk))
  return new Promise((resolve) => {
    child.on('error', () => resolve(false))
    child.on('close', (status) => {
      process.stdout.write(Buffer.concat(printed))
      resolve(status === 0)
    })
  })
}

/** Runs one vitest project and returns `{ passed, failed, skipped, names }`, `names` of what failed. A crash, or a run that found nothing, is a failure. */
export async function project(name, { env, timeout = 3_600_000 } = {}) {
  const report = join(root, `.cache/test/${name}.json`)
  mkdirSync(dirname(report), { recursive: true })
  rmSync(report, { force: true })
  const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${report}`]
  const well = await commandBeside('vitest/vitest.mjs', ['run', '--project', name, ...reporters], { env, timeout })
  const counts = read(report)
  const broken = !well && counts.failed === 0
  return broken ? { ...counts, failed: 1, names: ['vitest itself: see what it printed'] } : counts
}

/** Whether each kernel variant passed in a project: tests named `variant …` say so (test/engine/variants.ts). */
export function variants(name) {
  try {
    const { testResults } = JSON.parse(readFileSync(join(root, `.cache/test/${name}.json`), 'utf8'))
    const tests = testResults.flatMap((file) => file.assertionResults).filter(({ title }) => title.startsWith('variant '))
    const passed = new Map()
    for (const { title, status } of tests) passed.set(title.slice(8), (passed.get(title.slice(8)) ?? true) && status === 'passed')
    return passed
  } catch {
    return new Map()
  }
}

function read(report) {
  try {
    const { numPassedTests, numFailedTests, numPendingTests, numTodoTests, testResults } = JSON.parse(readFileSync(report, 'utf8'))
    const unread = testResults.filter((file) => file.status === 'failed' && file.assertionResults.length === 0) // files that did not even load
    const failed = testResults.flatMap((file) =>
      file.assertionResults.filter(({ status }) => status === 'failed').map(({ fullName }) => `${relative(root, file.name)} ${fullName}`),
    )
    const names = [...unread.map(({ name }) => relative(root, name)), ...failed]
    return { passed: numPassedTests, failed: numFailedTests + unread.length, skipped: numPendingTests + numTodoTests, names }
  } catch {
    return { passed: 0, failed: 1, skipped: 0, names: ['vitest did not get to its end'] }
  }
}
