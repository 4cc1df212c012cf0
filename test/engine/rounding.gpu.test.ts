// What rounding activations to 8 bits costs the embedded model: held-out prompts answered right in INT4, with and without.
// With `GLM_HELDOUT=FILE`, a larger set as `models/pocket/evaluate.py --dump FILE` writes it: in f32 too, and by skill and language.
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { expect, inject, it } from 'vitest'
import type { ChatMessage, Tool } from '../../src/api/types.ts'
import { Engine, type EngineOptions } from '../../src/engine/engine.ts'
import { dawn } from '../../src/gpu/dawn.ts'
import { folderSource } from '../../src/weights/folder.ts'

const folder = fileURLToPath(new URL('../../models/pocket', import.meta.url))
const larger = process.env.GLM_HELDOUT
const prompts: { skill: string; lang: string; messages: ChatMessage[]; tools?: Tool[]; answer: string }[] = JSON.parse(
  readFileSync(larger ?? `${folder}/heldout.json`, 'utf8'),
)

/** Which of them are answered right and end by themselves, eight chats at a time. */
async function right(options: Partial<EngineOptions>): Promise<boolean[]> {
  const engine = await Engine.load({ gpu: await dawn(), source: folderSource(folder), context: 1024, ...options })
  const good: boolean[] = []
  let next = 0
  const chat = async () => {
    for (let own = next++; own < prompts.length; own = next++) {
      const { messages, tools, answer } = prompts[own]!
      const { text, finish } = await engine.chat({ messages, tools, temperature: 0, max_tokens: 128 }, () => {})
      good[own] = finish === 'stop' && text.trim() === answer.trim()
    }
  }
  await Promise.all(Array.from({ length: 8 }, chat))
  await engine.close()
  return good
}

const count = (good: readonly boolean[]) => good.filter(Boolean).length

/** Shares by skill: a pair of columns, English and Chinese, for each run. */
function table(runs: Record<string, boolean[]>): string {
  const share = (skill: string | undefined, lang: string, good: boolean[]) => {
    const own = good.filter((_, index) => prompts[index]!.lang === lang && (skill === undefined || prompts[index]!.skill === skill))
    return `${((count(own) / own.length) * 100).toFixed(1)}%`
  }
  const row = (skill?: string) => Object.values(runs).flatMap((good) => ['en', 'zh'].map((lang) => share(skill, lang, good)))
  const head = ['skill', ...Object.keys(runs).flatMap((name) => [`${name}, English`, 'Chinese'])]
  const skills = [...new Set(prompts.map(({ skill }) => skill))]
  const rows = [head, head.map(() => '---'), ...skills.map((skill) => [skill, ...row(skill)]), ['all', ...row()]]
  return rows.map((cells) => `| ${cells.join(' | ')} |`).join('\n')
}

// SwiftShader computes the same integers, five times slower.
it.runIf(inject('adapter') === 'lavapipe')(
  '8-bit activations answer within half a point of what float ones do',
  { timeout: 3_600_000 },
  async () => {
    const [float, rounded] = [await right({ dot8: false }), await right({ dot8: true })]
    console.log(`of ${prompts.length}: ${count(float)} right, ${count(rounded)} with activations of 8 bits`)
    if (larger) console.log(table({ f32: await right({ weights: 'f32' }), INT4: float, 'INT4, activations of 8 bits': rounded }))
    expect(count(float)).toBeGreaterThan(prompts.length * 0.75)
    // Half a point, and never less than one answer, which is what so few prompts can tell.
    expect(count(float) - count(rounded)).toBeLessThanOrEqual(Math.max(1, prompts.length * 0.005))
  },
)
