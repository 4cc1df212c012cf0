// Two tabs that load the same model download it once: the first holds a Web Lock of its name, the second waits and then finds everything kept.

/** Waits for the lock, and comes back with its release. Where there are no locks (Node, insecure pages), at once. */
export function lock(
  name: string,
  signal?: AbortSignal,
  locks: LockManager | undefined = globalThis.navigator?.locks,
): Promise<() => void> {
  return new Promise((resolve, reject) => {
    if (!locks) return resolve(() => {})
    // The lock is held as long as the inner promise is open; its first argument ends it.
    locks.request(`glm-webgpu:${name}`, signal ? { signal } : {}, () => new Promise<void>(resolve)).catch(reject)
  })
}
