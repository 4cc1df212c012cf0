export const chromiumFlags: Record<'swiftshader' | 'lavapipe', string[]>
