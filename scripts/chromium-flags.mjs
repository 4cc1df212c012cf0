// How a Chromium is started for each adapter, headless, with WebGPU on a software driver.
const flags = [
  '--no-sandbox',
  '--enable-unsafe-webgpu',
  '--use-webgpu-adapter=swiftshader',
  '--enable-features=Vulkan',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--no-first-run',
]

/** The lavapipe copy opens Mesa's driver inside the GPU process, which that process's sandbox forbids. */
export const chromiumFlags = { swiftshader: flags, lavapipe: [...flags, '--disable-gpu-sandbox'] }
