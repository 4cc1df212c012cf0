// What tests of whole models ask an engine for: the logits of a prompt, and its greedy continuation.
import type { Engine } from '../../src/engine/engine.ts'

/** [positions, vocabulary] */
export async function logitsOf(engine: Engine, ids: readonly number[]): Promise<Float32Array> {
  const all = new Float32Array(ids.length * engine.info.vocabulary)
  await engine.score(ids, (logits, start) => all.set(logits, start * engine.info.vocabulary))
  return all
}

export async function greedy(engine: Engine, prompt: readonly number[], count: number): Promise<number[]> {
  const tokens: number[] = []
  await engine.scheduler.run({
    prompt,
    sampling: { temperature: 0, topK: 0, topP: 1, seed: [0, 0] },
    maxTokens: count,
    onToken: (token) => tokens.push(token) < count,
  })
  return tokens
}
