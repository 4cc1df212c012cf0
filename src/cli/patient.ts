// While Dawn in Node waits for anything it asks again at every turn of the event loop, and so keeps a core busy: nothing beside a GPU, but an
// adapter that computes on the processor needs that core. Patient, it asks once a millisecond.
const immediate = globalThis.setImmediate

/** Dawn's own callback is native, all others are JavaScript. */
const isNative = (callback: unknown) => /\{\s*\[native code\]\s*\}$/.test(Function.prototype.toString.call(callback))

/** For this whole process: a program's own decision, never a library's. */
export function waitPatiently(): void {
  const patient = (callback: (...given: unknown[]) => void, ...given: unknown[]) =>
    isNative(callback) ? setTimeout(callback, 1, ...given) : immediate(callback, ...given)
  globalThis.setImmediate = Object.assign(patient, immediate) as unknown as typeof setImmediate
}
