// The entry of the command line: Node only, built to dist/cli.js. Files it needs (package.json, the embedded model) are found from here.
import { dirname } from 'node:path'
import { fileURLToPath } from 'node:url'
import { start } from './cli/main.ts'

start(dirname(fileURLToPath(import.meta.url)))
