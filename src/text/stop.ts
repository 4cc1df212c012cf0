// Stop strings over a stream: no part of one is ever shown, however the text is cut into chunks.
// An Aho-Corasick automaton: its depth is the longest end of the text that begins a stop string, and that much is held back.

export interface Stops {
  /** Takes the next text; `text` is safe to show. After `stopped` nothing more comes out. */
  push(text: string): { text: string; stopped: boolean }
  /** The text ends here: what was held back. */
  flush(): string
}

interface State {
  next: Map<string, State>
  depth: number
  fail: State | undefined
  /** Length of the longest stop string that ends here, 0 for none. */
  match: number
}

/**
 * Watches a stream for stop strings (empty ones are ignored). The first to be complete ends the text, and of several that end
 * together the longest.
 */
export function createStops(strings: string[]): Stops {
  const root = automaton(strings)
  let state = root
  let held = ''
  let stopped = false

  return {
    push(text) {
      if (stopped) return { text: '', stopped }
      const all = held + text
      for (let at = held.length; at < all.length; at++) {
        state = step(root, state, all[at]!)
        if (!state.match) continue
        stopped = true
        held = ''
        return { text: all.slice(0, at + 1 - state.match), stopped }
      }
      held = all.slice(all.length - state.depth)
      return { text: all.slice(0, all.length - state.depth), stopped }
    },
    flush() {
      const text = held
      held = ''
      state = root
      return text
    },
  }
}

function automaton(strings: string[]): State {
  const root: State = { next: new Map(), depth: 0, fail: undefined, match: 0 }
  for (const text of strings) {
    let state = root
    for (let at = 0; at < text.length; at++) {
      const known = state.next.get(text[at]!)
      const next: State = known ?? { next: new Map(), depth: at + 1, fail: root, match: 0 }
      if (!known) state.next.set(text[at]!, next)
      state = next
    }
    state.match = text.length
  }
  // Breadth first, so that a state's shorter alternative is finished before it.
  const queue = [root]
  for (const state of queue) {
    for (const [unit, next] of state.next) {
      if (state.fail) next.fail = step(root, state.fail, unit)
      next.match ||= next.fail!.match
      queue.push(next)
    }
  }
  return root
}

function step(root: State, from: State, unit: string): State {
  for (let state: State | undefined = from; state; state = state.fail) {
    const next = state.next.get(unit)
    if (next) return next
  }
  return root
}
