// What rounding activations to 8 bits costs the embedded model: held-out prompts answered right in INT4, with and without.
// `GLM_HELDOUT=FILE` takes a larger set, as `models/pocket/evaluate.py --dump FILE` writes it.
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { expect, inject, it } from 'vitest'
import type { ChatMessage } from '../../src/api/types.ts'
import { Engine } from '../../src/engine/engine.ts'
import { dawn } from '../../src/gpu/dawn.ts'
import { folderSource } from '../../src/weights/folder.ts'

const folder = fileURLToPath(new URL('../../models/pocket', import.meta.url))
const prompts: { messages: ChatMessage[]; answer: string }[] = JSON.parse(
  readFileSync(process.env.GLM_HELDOUT ?? `${folder}/heldout.json`, 'utf8'),
)

/** How many are answered right, eight chats at a time. */
async function right(dot8: boolean): Promise<number> {
  const engine = await Engine.load({ gpu: await dawn(), source: folderSource(folder), context: 1024, dot8 })
  let count = 0
  let next = 0
  const chat = async () => {
    for (let own = next++; own < prompts.length; own = next++) {
      const { messages, answer } = prompts[own]!
      const { text } = await engine.chat({ messages, temperature: 0, max_tokens: 96 }, () => {})
      if (text.trim() === answer.trim()) count++
    }
  }
  await Promise.all(Array.from({ length: 8 }, chat))
  await engine.close()
  return count
}

// SwiftShader computes the same integers, five times slower.
it.runIf(inject('adapter') === 'lavapipe')(
  '8-bit activations answer within half a point of what float ones do',
  { timeout: 1_200_000 },
  async () => {
    const [float, rounded] = [await right(false), await right(true)]
    console.log(`of ${prompts.length}: ${float} right, ${rounded} with activations of 8 bits`)
    expect(float).toBeGreaterThan(prompts.length * 0.75)
    // Half a point, and never less than one answer, which is what so few prompts can tell.
    expect(float - rounded).toBeLessThanOrEqual(Math.max(1, prompts.length * 0.005))
  },
)
