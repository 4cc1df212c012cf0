// The server that model files come from in tests (test/server.ts), started once per project, with its log and its faults reachable from a page.
// Files: `inject('server')` + `fixtures/…`, `pocket/…` or `dist/…`. Control: GET `inject('control')` + `log`, POST `faults` (a list of
// [path, fault], replacing those before), POST `reset` (forgets log and faults). Pages should fetch with `cache: 'no-store'`: Chromium's
// own cache joins ranges, and asks for others than the page did.
import { readFileSync } from 'node:fs'
import { createServer, type IncomingMessage, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { fileURLToPath } from 'node:url'
import type { TestProject } from 'vitest/node'
import type { Adapter } from '../adapters.ts'
import { startHub } from '../hub.ts'
import { startServer, type TestServer } from '../server.ts'

declare module 'vitest' {
  interface ProvidedContext {
    server: string
    control: string
    /** A hub with `test/safe` (a folder of safetensors) and `test/gguf` (two quantisations). */
    hub: string
    adapter: Adapter
  }
}

const at = (path: string) => fileURLToPath(new URL(`../../${path}`, import.meta.url))

export default async function provideServer(project: TestProject): Promise<() => Promise<void>> {
  const files = await startServer({ folders: { fixtures: at('test/fixtures'), pocket: at('models/pocket'), dist: at('dist') } })
  const control = await startControl(files)
  const gguf = (name: string) => new Uint8Array(readFileSync(at(`test/fixtures/gguf/${name}`)))
  const hub = await startHub({
    'test/safe': { folder: at('test/fixtures/checkpoints/glm-chat-bf16') },
    'test/gguf': { files: { 'glm-Q4_0.gguf': gguf('glm-q4_0.gguf'), 'glm-Q6_K.gguf': gguf('glm-q6_k.gguf') } },
  })
  project.provide('server', files.url)
  project.provide('hub', hub.url)
  project.provide('control', `http://127.0.0.1:${(control.address() as AddressInfo).port}/`)
  return async () => {
    control.close()
    control.closeAllConnections()
    await hub.close()
    await files.close()
  }
}

async function startControl(files: TestServer): Promise<Server> {
  const actions: Record<string, (body: string) => unknown> = {
    '/log': () => files.log,
    '/faults': (body) => {
      files.faults.clear()
      for (const [path, fault] of JSON.parse(body)) files.faults.set(path, fault)
    },
    '/reset': () => {
      files.log.length = 0
      files.faults.clear()
    },
  }
  const server = createServer(async (request, response) => {
    response.setHeader('access-control-allow-origin', '*')
    const answer = actions[request.url ?? '']?.(await read(request))
    response.end(JSON.stringify(answer ?? null))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return server
}

async function read(request: IncomingMessage): Promise<string> {
  let body = ''
  for await (const chunk of request) body += chunk
  return body
}
