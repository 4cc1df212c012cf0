// Us in a page: the built package, its worker, `bench` of the loaded model; the better of two runs (it warms up by itself).

export async function measure({ entry, model, room, settings }) {
  const { loadGlm } = await import(entry)
  const glm = await loadGlm(model, { context: room, cache: 'none' })
  if (typeof glm.bench !== 'function') throw new Error('this build has no bench')
  const runs = [await glm.bench(settings), await glm.bench(settings)]
  await glm.close()
  const [best] = runs.sort((a, b) => b.decode_tok_s - a.decode_tok_s)
  const prefill = Math.max(...runs.map((run) => run.prefill_tok_s))
  return { ...best, prefill_tok_s: prefill, ttft_ms: Math.min(...runs.map((run) => run.ttft_ms)) }
}
