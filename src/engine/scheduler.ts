// Who gets rows: prompts go in by chunks, in turns with decode bursts over every sequence that is answering.
import { asGlmError, GlmError } from '../errors.ts'
import { stretch } from '../kernels/attention.ts'
import { pageSize } from '../kernels/rows.ts'
import type { Row } from '../model/rows.ts'
import { type Drawn, endingOf } from '../model/sampler.ts'
import type { Pacer } from './pacer.ts'
import type { Pages } from './pages.ts'
import type { Reading, Runner } from './runner.ts'
import type { Generation, Sequence } from './sequence.ts'

export interface SchedulerOptions {
  runner: Runner
  pages: Pages
  pacer: Pacer
  /** Positions of a sequence at most. */
  context: number
  /** Sequences that decode together at most. */
  slots: number
  /** Submits in flight while decoding. */
  depth: number
  ring: number
}

/** What a finished generation tells beside its tokens. */
export interface GenerationReport {
  cached: number
}

export class Scheduler {
  readonly #options: SchedulerOptions
  readonly #sequences = new Set<Sequence>()
  #running: Promise<void> | undefined
  #failed: GlmError | undefined

  constructor(options: SchedulerOptions) {
    this.#options = options
  }

  /** Sequences that wait or run. */
  get size(): number {
    return this.#sequences.size
  }

  /** Runs a generation to its end; `onToken` is called for each token. Rejects with what stopped it. */
  async run(generation: Generation): Promise<GenerationReport> {
    if (this.#failed) throw this.#failed
    const sequence = {
      generation,
      tokens: [...generation.prompt],
      pages: [],
      valid: 0,
      scheduled: 0,
      cached: 0,
      generated: 0,
      slot: -1,
      state: 'waiting',
    } as unknown as Sequence
    const done = new Promise<void>((resolve, reject) => Object.assign(sequence, { settle: { resolve, reject } }))
    this.#sequences.add(sequence)
    this.#running ??= this.#loop()
    await done
    return { cached: sequence.cached }
  }

  /** Ends every generation with `error`; later ones are refused. */
  fail(error: GlmError): void {
    this.#failed = error
    for (const sequence of this.#sequences) this.#end(sequence, error)
  }

  /** Resolves when nothing runs and the submits in flight are done. */
  async idle(): Promise<void> {
    while (this.#running) await this.#running
  }

  /** Runs `work` when no generation runs; those that come meanwhile wait. Rejects with what ended the scheduler, if anything did. */
  async alone<T>(work: () => Promise<T>): Promise<T> {
    while (this.#running) await this.#running // no further await: what was seen to be over must still be so
    if (this.#failed) throw this.#failed
    const done = work()
    const over = () => {
      this.#running = undefined
      if (this.#sequences.size > 0) this.#running = this.#loop()
    }
    this.#running = done.then(over, over)
    return done.catch((error) => {
      throw this.#failed ?? asGlmError(error)
    })
  }

  async #loop(): Promise<void> {
    try {
      while (this.#sequences.size > 0) {
        this.#admit()
        const prefilling = this.#in('prefill')[0]
        if (prefilling) await this.#prefill(prefilling)
        if (this.#in('decode').length > 0) await this.#decode()
        this.#dropAborted()
      }
    } catch (error) {
      const fault = asGlmError(error)
      for (const sequence of this.#sequences) this.#end(sequence, fault)
    } finally {
      this.#running = undefined
    }
  }

  #in(state: Sequence['state']): Sequence[] {
    return [...this.#sequences].filter((sequence) => sequence.state === state)
  }

  /** Lets waiting sequences in while there are slots and pages. */
  #admit(): void {
    const { pages, slots, runner } = this.#options
    const used = new Set([...this.#sequences].map(({ slot }) => slot))
    for (const sequence of this.#in('waiting')) {
      const slot = Array.from({ length: slots }, (_, index) => index).find((index) => !used.has(index))
      if (slot === undefined) return
      const needed = Math.ceil((sequence.tokens.length + 1) / pageSize)
      // Its whole prompt must fit beside what others hold; otherwise it waits until they are done.
      if (pages.free < needed && used.size > 1) return
      const prefix = pages.open(keysOf(sequence))
      sequence.pages.push(...prefix.pages)
      if (prefix.copy) runner.copyPage(prefix.copy.from, prefix.copy.to)
      Object.assign(sequence, { valid: prefix.tokens, scheduled: prefix.tokens, cached: prefix.tokens, slot, state: 'prefill' })
      used.add(slot)
    }
  }

  async #prefill(sequence: Sequence): Promise<void> {
    const { pacer, pages, runner } = this.#options
    if (this.#aborted(sequence)) return
    const { prompt, seen } = sequence.generation
    const chunk = prompt.slice(sequence.valid, sequence.valid + pacer.rows)
    const end = sequence.valid + chunk.length
    if (!pages.grow(sequence.pages, end + 1)) {
      if (this.#sequences.size === 1)
        this.#end(sequence, new GlmError('out_of_memory', 'The KV pool has no room for this prompt; load the model with a larger context.'))
      else this.#yieldPages(sequence)
      return
    }
    const last = end === prompt.length
    const ids = sequence.pages.map(({ id }) => id)
    const drawn = last ? this.#drawn(sequence) : undefined
    if (last && !drawn) return
    const reading = await runner.prefill(chunk, sequence.valid, ids, drawn, seen)
    sequence.valid = end
    sequence.scheduled = end
    pages.share(sequence.pages, keysOf(sequence).slice(0, end))
    sequence.generation.onRead?.(end)
    if (!last || sequence.state === 'done') return
    sequence.state = 'decode'
    this.#deliver(sequence, reading!, 0, drawn!.generated)
  }

  /** Gives a prompt's pages back and lets it start again when others are done. */
  #yieldPages(sequence: Sequence): void {
    this.#options.pages.close(sequence.pages)
    sequence.pages.length = 0
    Object.assign(sequence, { valid: 0, scheduled: 0, slot: -1, state: 'waiting' })
  }

  /** Decodes the present group until someone joins, leaves or must wait. Submits overlap; the rows feed themselves. */
  async #decode(): Promise<void> {
    const { runner, depth, pacer } = this.#options
    const group = this.#in('decode')
    this.#writeRows(group)
    const asked = group.map(({ generation }) => ({ settings: generation.sampling, masked: generation.mask !== undefined }))
    const ending = endingOf(asked)
    // A mask needs the token before it: nothing is in flight ahead of it.
    const masked = asked.some((one) => one.masked)
    if (!masked) this.#writeDraws(group)
    const flights: { tokens: number; read: Promise<Reading>; began: number; draws: number[] }[] = []
    let going = true
    let before = -Infinity
    while (going || flights.length > 0) {
      while (going && flights.length < (masked ? 1 : depth)) {
        const tokens = this.#burst(group, masked ? 1 : pacer.tokens)
        if (tokens === 0 || (masked && !this.#writeDraws(group))) {
          going = false
          break
        }
        const draws = group.map((sequence) => sequence.scheduled - sequence.generation.prompt.length + 1)
        const far = group.some(({ scheduled }) => scheduled + tokens > stretch)
        await runner.ready(group.length, far, ending) // so that the pacer's clock does not see a compiler
        const began = pacer.now()
        const read = runner.decode(group.length, tokens, far, ending)
        read.catch(() => {}) // awaited below; without this one behind a failed one would count as unhandled
        flights.push({ tokens, read, began, draws })
        for (const sequence of group) sequence.scheduled += tokens
      }
      const flight = flights.shift()
      if (!flight) break
      const reading = await flight.read
      // It ran from when it was handed over, or from when the one before it was done.
      const done = pacer.now()
      pacer.decoded(flight.tokens, done - Math.max(flight.began, before))
      before = done
      for (const [index, sequence] of group.entries()) this.#take(sequence, reading, flight.draws[index]!, flight.tokens)
      const changed = group.some((sequence) => sequence.state !== 'decode' || sequence.generation.signal?.aborted)
      if (changed || this.#in('prefill').length > 0 || this.#in('waiting').length > 0) going = false
    }
    for (const sequence of group) sequence.scheduled = sequence.valid
  }

  #writeRows(group: readonly Sequence[]): void {
    const { decodeRows } = this.#options.runner
    const rows = group.map(({ tokens, slot, generation }): Row => {
      const position = tokens.length - 1
      return { token: tokens.at(-1)!, position, slot, turn: position + (generation.seen?.delta ?? 0) }
    })
    for (const sequence of group) {
      decodeRows.writePages(
        sequence.slot,
        sequence.pages.map(({ id }) => id),
      )
    }
    decodeRows.write(
      rows,
      rows.map((_, index) => index),
    )
  }

  /** Tells the GPU how each slot draws; false when a mask failed. */
  #writeDraws(group: readonly Sequence[]): boolean {
    for (const sequence of group) {
      const drawn = this.#drawn(sequence)
      if (!drawn) return false
      this.#options.runner.decodeSampler.write(sequence.slot, drawn)
    }
    return true
  }

  #drawn(sequence: Sequence): Drawn | undefined {
    const { generation, tokens, generated } = sequence
    try {
      return { settings: generation.sampling, tokens, generated, mask: generation.mask?.(tokens.slice(generation.prompt.length)) }
    } catch (error) {
      this.#end(sequence, asGlmError(error))
      return undefined
    }
  }

  /** How many tokens the next submit makes for everyone, at most; pages are appended ahead of it. 0 when someone cannot go on. */
  #burst(group: readonly Sequence[], most: number): number {
    const { context, pages, runner, ring } = this.#options
    let tokens = Math.min(most, Math.floor(ring / 4))
    for (const sequence of group) {
      const { maxTokens, prompt } = sequence.generation
      const produced = sequence.scheduled - prompt.length + 1
      tokens = Math.min(tokens, maxTokens - produced, context - sequence.scheduled)
    }
    if (tokens <= 0) return 0
    for (const sequence of group) {
      const before = sequence.pages.length
      if (!pages.grow(sequence.pages, sequence.scheduled + tokens)) return this.#starved(sequence)
      if (sequence.pages.length > before)
        runner.decodeRows.writePages(
          sequence.slot,
          sequence.pages.map(({ id }) => id),
          before,
        )
    }
    return tokens
  }

  /** The pool is full: the sequence that needs more ends, as at its token limit. */
  #starved(sequence: Sequence): 0 {
    if (sequence.scheduled === sequence.valid) this.#end(sequence)
    return 0
  }

  #take(sequence: Sequence, reading: Reading, draw: number, tokens: number): void {
    for (let index = 0; index < tokens && sequence.state === 'decode'; index++) {
      sequence.valid++
      this.#deliver(sequence, reading, sequence.slot, draw + index)
    }
  }

  #deliver(sequence: Sequence, reading: Reading, slot: number, draw: number): void {
    if (this.#aborted(sequence)) return
    const token = reading.token(slot, draw)
    if (token === 0xffffffff) {
      this.#end(sequence, new GlmError('weights_invalid', 'The model computed NaN; load it with weights f32, or download it again.'))
      return
    }
    sequence.tokens.push(token)
    sequence.generated++
    const { generation } = sequence
    const { logprobs } = generation.sampling
    let goOn = false
    try {
      goOn = generation.onToken(token, logprobs === undefined ? undefined : reading.logprobs(slot, draw, logprobs))
    } catch (error) {
      this.#end(sequence, asGlmError(error))
      return
    }
    if (!goOn || sequence.generated >= generation.maxTokens || sequence.tokens.length > this.#options.context) this.#end(sequence)
  }

  #dropAborted(): void {
    for (const sequence of this.#sequences) this.#aborted(sequence)
  }

  #aborted(sequence: Sequence): boolean {
    const { signal } = sequence.generation
    if (!signal?.aborted || sequence.state === 'done') return sequence.state === 'done'
    this.#end(sequence, new GlmError('aborted', 'The generation was aborted.', { cause: signal.reason }))
    return true
  }

  #end(sequence: Sequence, error?: unknown): void {
    if (sequence.state === 'done') return
    const { pages } = this.#options
    sequence.state = 'done'
    pages.share(sequence.pages, keysOf(sequence).slice(0, sequence.valid), true)
    pages.close(sequence.pages)
    this.#sequences.delete(sequence)
    if (error) sequence.settle.reject(error)
    else sequence.settle.resolve()
  }
}

/** What pages are compared by: the tokens, but that pictures have numbers of their own. */
const keysOf = ({ tokens, generation }: Sequence): readonly number[] => generation.seen?.keys(tokens) ?? tokens
