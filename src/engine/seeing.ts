// What an engine does for prompts that show something: pixels are prepared on its device, seen by the tower once, and stand in the prompt in the place of
// their marks. Part of the bundle that the worker fetches for models with a tower.
import type { SeenReport, Usage } from '../api/types.ts'
import { GlmError, throwIfAborted } from '../errors.ts'
import type { PicturePlan } from '../media/picture_plan.ts'
import { openPreparer, type Preparer } from '../media/prepare.ts'
import type { Sees, Shown } from '../media/shown.ts'
import { type Budget, planShown } from '../media/shown_size.ts'
import { expandPlaceholders, type PlaceholderIds } from '../model/placeholders.ts'
import { type Encoded, type Seen, seenOf } from '../model/seen.ts'
import { loadVision, parseVision, planVision, tokensOf, VisionTower } from '../model/vision.ts'
import type { Tokenizer } from '../text/tokenizer.ts'
import type { Loader } from '../weights/load.ts'
import type { Assembly } from './assembly.ts'
import type { Part } from './parts.ts'
import { keptBytes, passingBytes, towerFormat } from './plan_seeing.ts'
import type { ShownRequest } from './request.ts'
import { type Kept, KeptSights, keyOf } from './seeing_kept.ts'
import { type Rule, readRule } from './seeing_rule.ts'

export type SeeingOptions = Assembly & {
  /** Bytes of embeddings that are kept. */
  keep?: number
}

/** A prompt that may show something. `release` it when nothing runs it any more. */
export interface Prompt {
  ids: number[]
  seen?: Seen
  report?: SeenReport[]
  /** Of its tokens, those of pictures and videos. */
  counts?: Pick<NonNullable<Usage['prompt_tokens_details']>, 'image_tokens' | 'video_tokens'>
  release(): void
}

export interface SeeOptions {
  signal?: AbortSignal | undefined
  /** Throws where the prompt is too long, before anything is encoded. */
  check?: ((ids: readonly number[]) => void) | undefined
  /** Patches that the tower has seen of those it has not kept. */
  onProgress?: ((part: Extract<Part, { loaded: number }>) => void) | undefined
}

/** Loads the tower of a model; its text model is loaded already. `Reader`: the engine's own Loader, with the WGSL that it was given. */
export async function openSeeing(options: SeeingOptions, Reader: typeof Loader): Promise<Seeing> {
  const { files, source, device: gpu, buffers, pipelines, asked, visionWeights, signal } = options
  const json = files.sees!
  const config = parseVision(json)
  const rule = await readRule(source, json, config, signal)
  const before = buffers.bytes
  const plan = planVision(config, files.checkpoint)
  const loader = new Reader({ gpu, buffers, pipelines, source, checkpoint: plan.checkpoint, ...(signal && { signal }) })
  const weights = loadVision(plan, loader, towerFormat(asked, visionWeights))
  await loader.fill()
  await loader.finish()
  const bytes = buffers.bytes - before
  const tower = VisionTower.open({ gpu, buffers, pipelines, config, weights })
  return new Seeing(options, { rule, tower, bytes, preparer: await openPreparer({ device: gpu.device }) })
}

interface Parts {
  rule: Rule
  tower: VisionTower
  preparer: Preparer
  bytes: number
}

/** Something shown, and its place among what is kept. */
interface Sight {
  one: Shown
  plan: PicturePlan
  /** Tokens of the picture, or of each step. */
  tokens: number
  key: number
}

export class Seeing {
  /** Of the tower's weights. */
  readonly bytes: number
  readonly #options: SeeingOptions
  readonly #parts: Parts
  readonly #kept: KeptSights
  #turn: Promise<unknown> = Promise.resolve()

  constructor(options: SeeingOptions, parts: Parts) {
    this.bytes = parts.bytes
    this.#options = options
    this.#parts = parts
    this.#kept = new KeptSights(options.buffers, options.keep ?? keptBytes)
  }

  get sees(): Sees {
    const { labels, sizes } = this.#parts.rule
    return { picture: true, video: labels !== undefined, ...(labels ? { profile: labels } : {}), sizes }
  }

  get tower(): VisionTower {
    return this.#parts.tower
  }

  /** The ids of a rendered prompt, expanded, with what stands in the place of its marks. Calls take turns. */
  async see(
    ids: readonly number[],
    { shown = [], budget }: Pick<ShownRequest, 'shown' | 'budget'>,
    options: SeeOptions = {},
  ): Promise<Prompt> {
    const { tokenizer } = this.#options.files
    const sights = shown.map((one) => this.#plan(one, budget ?? {}))
    const [pictures, videos] = [sights.filter(({ one }) => !one.steps), sights.filter(({ one }) => one.steps)]
    const expanded = expandPlaceholders(
      ids,
      this.#placeholders(tokenizer!),
      pictures.map(({ tokens }) => tokens),
      videos.map(({ tokens, one }) => ({ tokens, labels: one.steps!.map(({ label }) => label) })),
      (label) => tokenizer!.encodePlain(label),
    )
    if (sights.length === 0) return { ids: expanded.ids, release() {} }
    options.check?.(expanded.ids)
    const done = this.#turn.then(() => this.#look(sights, options))
    this.#turn = done.catch(() => {})
    const { found, report } = await done
    const encoded = (some: readonly Sight[]) =>
      some.map((sight): Encoded => {
        const { rows, grid } = found[sights.indexOf(sight)]!
        return { rows, row: 0, grid, key: sight.key }
      })
    const merge = this.#options.files.config.sections && this.tower.config.merge
    const seen = seenOf(expanded.segments, { pictures: encoded(pictures), videos: encoded(videos), merge })
    let held = true
    const release = () => {
      if (held) for (const kept of found) this.#kept.release(kept)
      held = false
    }
    const sum = (some: readonly Sight[]) => some.reduce((all, { tokens, plan }) => all + tokens * plan.grid[0], 0)
    return { ids: expanded.ids, seen, report, counts: { image_tokens: sum(pictures), video_tokens: sum(videos) }, release }
  }

  close(): void {
    this.#parts.tower.close()
    this.#parts.preparer.close()
  }

  #plan(one: Shown, budget: Budget): Sight {
    const { sizes } = this.#parts.rule
    // Made smaller already: by the same rule, of what it was.
    const plan = planShown(one, one.size ? { ...sizes, size: one.size } : sizes, budget)
    const [, height, width] = plan.grid
    return { one, plan, tokens: tokensOf(this.tower.config, [1, height, width]), key: 0 }
  }

  /** By their strings, which are the same in all models; ids of config.json where the tokenizer has no such. */
  #placeholders({ controls }: Tokenizer): PlaceholderIds {
    const json = this.#options.files.sees!
    const idOf = (text: string, field: string) => {
      const named = json[field]
      return controls.find((control) => control.text === text)?.id ?? (Number.isSafeInteger(named) ? (named as number) : undefined)
    }
    const begin = idOf('<|begin_of_image|>', 'image_start_token_id')
    const run = this.tower.config.ends
    const image = run ? (begin ?? idOf('<|begin_of_image|>', 'boi_token_id')) : idOf('<|image|>', 'image_token_id')
    if (image === undefined) throw new GlmError('template_invalid', 'The tokenizer has no token for pictures; download the model again.')
    if (run) return { image, run }
    const [video, end] = [idOf('<|video|>', 'video_token_id'), idOf('<|end_of_image|>', 'image_end_token_id')]
    return { image, ...(video !== undefined && { video }), ...(begin !== undefined && { begin }), ...(end !== undefined && { end }) }
  }

  async #look(sights: readonly Sight[], options: SeeOptions): Promise<{ found: Kept[]; report: SeenReport[] }> {
    const found: Kept[] = []
    const report: SeenReport[] = []
    const total = sights.reduce((sum, { plan }) => sum + patchesOf(plan), 0)
    let before = 0
    try {
      for (const sight of sights) {
        throwIfAborted(options.signal)
        const { one, plan, tokens } = sight
        sight.key = await keyOf([named(one, plan), ...one.frames.map(({ data }) => data)])
        const known = this.#kept.use(sight.key)
        const from = before
        const tell = (patches: number) => options.onProgress?.({ type: 'seeing', loaded: from + patches, total })
        found.push(known ?? this.#kept.add(sight.key, await this.#encode(sight, options.signal, tell), plan.grid))
        before += patchesOf(plan)
        const { width, height } = plan.resized
        const steps = one.steps?.map((step) => ({ ...step, tokens }))
        const type = steps ? 'video' : 'picture'
        report.push({ type, width, height, tokens: tokens * (steps?.length ?? 1), cached: known !== undefined, ...(steps && { steps }) })
      }
      return { found, report }
    } catch (error) {
      for (const kept of found) this.#kept.release(kept)
      throw error
    }
  }

  /** A long clip goes by stretches of steps: neither its frames nor its patches need stand on the GPU together. */
  async #encode({ one, plan, tokens }: Sight, signal: AbortSignal | undefined, tell: (patches: number) => void): Promise<GPUBuffer> {
    const { buffers, device: gpu } = this.#options
    const { rule, tower, preparer } = this.#parts
    const { frames, steps } = one
    const [count, height, width] = plan.grid
    const row = tower.config.text * 4
    const { temporal } = tower.config
    const each = frames[0]!.data.length * temporal + height * width * plan.shape[1]! * 4
    const stretch = Math.max(1, Math.floor(passingBytes / each))
    const rows = buffers.make('what is seen', count * tokens * row)
    try {
      for (let step = 0; step < count; step += stretch) {
        throwIfAborted(signal)
        const own = steps ? frames.slice(step * temporal, (step + stretch) * temporal) : frames
        const size = { profile: rule.sizes.profile, size: plan.resized }
        const prepared = await preparer.toBuffer(own, steps ? { ...size, video: true } : size)
        try {
          const onProgress = ({ loaded }: { loaded: number }) => tell(step * height * width + loaded)
          const { buffer, tokens: made } = await tower.encode(prepared.buffer, [prepared.grid], { signal, onProgress })
          const encoder = gpu.device.createCommandEncoder()
          encoder.copyBufferToBuffer(buffer, 0, rows, step * tokens * row, made * row)
          gpu.device.queue.submit([encoder.finish()])
          buffers.free(buffer)
        } finally {
          prepared.buffer.destroy()
        }
      }
      return rows
    } catch (error) {
      buffers.free(rows)
      throw error
    }
  }
}

const patchesOf = ({ grid: [steps, height, width] }: PicturePlan) => steps * height * width

/** All of what is shown that is not its bytes. */
const named = ({ frames, steps }: Shown, { resized }: PicturePlan) =>
  JSON.stringify([steps !== undefined, resized, frames.map(({ data, ...shape }) => shape)])
