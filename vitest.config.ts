// Seven projects: plain Node, Dawn in Node on two adapters, Chromium on the same two, and the packed package. scripts/test.mjs runs them in turn.
import { availableParallelism } from 'node:os'
import { fileURLToPath } from 'node:url'
import { playwright } from '@vitest/browser-playwright'
import { defineConfig, type TestProjectInlineConfiguration } from 'vitest/config'
import { type Adapter, adapters, chromiumFlags, dawnEnvironment, machine, narrow } from './test/adapters.ts'

const found = await machine()
const chromium = { swiftshader: found.chrome, lavapipe: found.chromeLavapipe }

/** Tests import `glm-webgpu` as a page does: the built bundle, with its worker beside it. */
const resolve = { alias: { 'glm-webgpu': fileURLToPath(new URL('./dist/index.js', import.meta.url)) } }

/** What does not ask how an adapter computes runs on the faster one alone: files, caches, errors, the command line, media without shaders. */
const elsewhere: Record<Adapter, string[]> = {
  lavapipe: [],
  swiftshader: [
    'test/engine/{bench,counts,engine,errors,fitting,kept,plan,resumed,tuning}.gpu.test.ts',
    'test/{cli,gpu}/*.gpu.test.ts',
    'test/media/prepare.gpu.test.ts',
    'test/model/{pocket_v,vision}.gpu.test.ts', // their kernels run on both
    'test/media/{capture,frame,open,open_read,open_written,picture}.browser.test.ts',
    'test/demo/*.browser.test.ts',
  ],
}

const everywhere = {
  testTimeout: 120_000,
  hookTimeout: 120_000,
  globalSetup: './test/package/fixture-server.ts',
  setupFiles: './test/fetched.ts',
}

/** Dawn crashes when its objects are collected: a process of its own for every file, one after the other. */
const oneProcessPerFile = { pool: 'forks', isolate: true, fileParallelism: false, maxWorkers: 1 } as const

const node: TestProjectInlineConfiguration = {
  resolve,
  test: {
    ...everywhere,
    name: 'node',
    include: ['test/**/*.test.ts'],
    exclude: ['test/**/*.gpu.test.ts', 'test/**/*.browser.test.ts', 'test/package/**'],
    maxWorkers: Math.max(2, availableParallelism() - 1), // of two cores vitest would leave one idle
    sequence: { groupOrder: 0 },
  },
}

const dawn = (adapter: Adapter, order: number): TestProjectInlineConfiguration => ({
  resolve,
  test: {
    ...everywhere,
    ...oneProcessPerFile,
    setupFiles: ['./test/fetched.ts', './test/patient.ts'],
    name: `dawn-${adapter}`,
    include: ['test/**/*.gpu.test.ts'],
    exclude: elsewhere[adapter],
    env: dawnEnvironment(adapter, found.icd[adapter]),
    provide: { adapter },
    sequence: { groupOrder: order },
  },
})

const browser = (adapter: Adapter, order: number): TestProjectInlineConfiguration => ({
  resolve,
  test: {
    ...everywhere,
    name: `browser-${adapter}`, // the instance below is the project that runs
    include: ['test/**/*.browser.test.ts'],
    exclude: elsewhere[adapter],
    fileParallelism: false,
    env: { GLM_ADAPTER: adapter },
    provide: { adapter },
    sequence: { groupOrder: order },
    browser: {
      enabled: true,
      headless: true,
      screenshotFailures: false,
      provider: playwright({
        launchOptions: {
          executablePath: chromium[adapter],
          args: chromiumFlags[adapter],
          env: { ...(process.env as Record<string, string>), ...narrow },
        },
      }),
      instances: [{ browser: 'chromium', name: `chromium-${adapter}` }],
    },
  },
})

const packed: TestProjectInlineConfiguration = {
  test: {
    name: 'package',
    include: ['test/package/package.test.ts'],
    testTimeout: 300_000,
    hookTimeout: 300_000,
    sequence: { groupOrder: 9 },
  },
}

export default defineConfig({
  test: {
    projects: [
      node,
      ...adapters.map((adapter, i) => dawn(adapter, 1 + i)),
      ...adapters.map((adapter, i) => browser(adapter, 3 + i)),
      packed,
    ],
  },
})
