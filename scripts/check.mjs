// `npm run check`: lint, types and the tests that need neither a GPU nor a browser. The inner loop, under two minutes.
import './node-version.mjs'
import { installDependencies } from './setup.mjs'
import { lint, project, types } from './steps.mjs'

installDependencies()
const failed = []
if (!lint()) failed.push('lint')
if (!types()) failed.push('types')
const tests = await project('node')
failed.push(...tests.names)
console.log(failed.length > 0 ? `failed: ${failed.join(', ')}` : `all well: lint, types, ${tests.passed} tests`)
process.exitCode = failed.length > 0 ? 1 : 0
