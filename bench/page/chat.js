// A chat answer in a page, timed by the engine itself: what every version since the first can do. The best of the runs after the first.

export async function measure({ entry, model, question, runs }) {
  const { loadGlm } = await import(entry)
  const glm = await loadGlm(model, { cache: 'none' })
  const all = []
  for (let run = 0; run < runs; run++) all.push(await ask(glm, question))
  await glm.close()
  const [best] = all.slice(1).sort((a, b) => b.decode_tok_s - a.decode_tok_s)
  return best
}

async function ask(glm, question) {
  const messages = [{ role: 'user', content: question }]
  const { usage, timings } = await glm.chat.completions.create({ messages, temperature: 0, max_tokens: 64 })
  const { prompt_tokens: prompt, completion_tokens: gen } = usage
  return { prompt, gen, decode_tok_s: (1000 * (gen - 1)) / timings.decode_ms }
}
