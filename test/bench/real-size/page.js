// One visit: loads the model by its address through the public API, asks it once, and tells when what was reached, in seconds since the call.

export async function visit({ entry, worker, model, context, question, tokens, firstLayer }) {
  const { loadGlm } = await import(entry)
  const began = performance.now()
  const at = {}
  const reached = (name) => {
    at[name] ??= (performance.now() - began) / 1000
  }
  let last
  const warnings = []
  const glm = await loadGlm(model, {
    context,
    createWorker: () => new Worker(worker, { type: 'module' }),
    onWarning: ({ message }) => warnings.push(message),
    onProgress: (progress) => {
      const { phase, loaded } = progress
      reached(`first ${phase}`)
      if (phase === 'upload' && loaded >= firstLayer) reached('first layer')
      at[`last ${phase}`] = (performance.now() - began) / 1000
      last = progress
    },
  })
  reached('ready')
  const messages = [{ role: 'user', content: question }]
  const answer = await glm.chat.completions.create({ messages, temperature: 0, max_tokens: tokens })
  const { usage, timings } = answer
  const { usage: disk } = await navigator.storage.estimate()
  globalThis.glm = glm // a reload ends it, as a user's would
  return {
    at,
    cached: last.cached,
    total: last.total,
    warnings,
    text: answer.choices[0].message.content,
    usage,
    timings,
    disk,
    model: glm.model,
  }
}
