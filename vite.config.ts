// The demo: a plain Vite app that imports the built package, as anybody's page would.
import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vite'

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url))

export default defineConfig({
  root: here('demo'),
  base: './',
  resolve: { alias: { 'glm-webgpu': here('dist/index.js') } },
  build: { outDir: here('dist/demo'), emptyOutDir: true, reportCompressedSize: false },
})
