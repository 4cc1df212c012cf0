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
  // A camera, a microphone and a screen that are none, given without asking.
  '--use-fake-device-for-media-stream',
  '--use-fake-ui-for-media-stream',
]

/** The lavapipe copy opens Mesa's driver inside the GPU process, which that process's sandbox forbids. */
export const chromiumFlags = { swiftshader: flags, lavapipe: [...flags, '--disable-gpu-sandbox'] }
