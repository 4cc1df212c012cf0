// Watches a device while it generates: what is created on it, and how long the host works for each burst of tokens.

export interface Watched {
  encoders: number
  bind_groups: number
  /** Every other create* call. */
  creates: number
  /** Milliseconds from a burst's first token to the end of the stretch that encoded and submitted the next one. */
  host: number
}

export interface Watch {
  readonly counts: Watched
  /** A token was delivered. */
  token(): void
  stop(): void
}

/**
 * Puts itself before the device's own create* methods until `stop`. A host's stretch is what runs between two turns of the event loop: tokens are
 * handed out, pages are taken, the next passes are encoded and submitted, their read-back is asked for. It begins with the first token and ends in a
 * microtask queued at the encoder, which comes when all of that is done. What the browser does in other processes is not in it.
 */
export function watch(device: GPUDevice): Watch {
  const counts: Watched = { encoders: 0, bind_groups: 0, creates: 0, host: 0 }
  const own = device as unknown as Record<string, unknown>
  const names = Object.getOwnPropertyNames(Object.getPrototypeOf(device)).filter((name) => name.startsWith('create'))
  let began = 0
  const finish = () => {
    if (began) counts.host += performance.now() - began
    began = 0
  }
  for (const name of names) {
    const method = own[name] as (...given: unknown[]) => unknown
    const counter = name === 'createCommandEncoder' ? 'encoders' : name === 'createBindGroup' ? 'bind_groups' : 'creates'
    own[name] = (...given: unknown[]) => {
      counts[counter]++
      if (counter === 'encoders') queueMicrotask(finish)
      return method.apply(device, given)
    }
  }
  return {
    counts,
    token() {
      began ||= performance.now()
    },
    stop() {
      for (const name of names) delete own[name]
    },
  }
}
