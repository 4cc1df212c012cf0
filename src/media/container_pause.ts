// Long work on the page's own thread lets others in between. A message rather than a timer: timers wait 4 ms each, and a second where the tab is hidden.

/** Resolves in a task of its own. */
export function pause(): Promise<void> {
  return new Promise((resolve) => {
    const { port1, port2 } = new MessageChannel()
    port1.onmessage = () => {
      port1.close()
      resolve()
    }
    port2.postMessage(0)
  })
}
