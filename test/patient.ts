// While Dawn in Node waits for anything it asks again at every turn of the event loop, and so keeps a core busy; adapters that compute on the
// processor need that core. Here it asks once a millisecond: what compiles or computes on them takes about half as long beside another project.
const immediate = globalThis.setImmediate

/** Dawn's own callback is native, all others are JavaScript. */
const isNative = (callback: unknown) => /\{\s*\[native code\]\s*\}$/.test(Function.prototype.toString.call(callback))

globalThis.setImmediate = Object.assign(
  (callback: (...given: unknown[]) => void, ...given: unknown[]) =>
    isNative(callback) ? setTimeout(callback, 1, ...given) : immediate(callback, ...given),
  immediate,
) as typeof setImmediate
