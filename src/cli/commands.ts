// Every command and flag, as data: the parser, --help and the commands read this table.
import type { WeightsFormat } from '../api/types.ts'

/** What a flag of each kind becomes. */
export interface Kinds {
  text: string
  number: number
  whole: number
  tokens: number[]
  format: WeightsFormat | 'auto'
  choice: string
  switch: true
}

export interface Flag {
  kind: keyof Kinds
  /** Stands for the value in --help. */
  value?: string
  about: string
  /** What a choice may be. */
  choices?: readonly string[]
  /** Bounds of numbers. */
  low?: number
  high?: number
}

export interface Command {
  about: string
  model: 'required' | 'optional'
  /** Takes a second name, of what it writes. */
  out?: true
  flags: Readonly<Record<string, Flag>>
  /** Flags of which exactly one must be there. */
  exactlyOne?: readonly string[]
  /** Flags that contradict each other. */
  apart?: readonly string[]
}

export const formats: readonly Kinds['format'][] = ['file', 'auto', 'f32', 'f16', 'q8', 'q4']

const weights = {
  kind: 'format',
  value: 'FORMAT',
  about: `weights on the GPU: ${formats.join(', ')} (default file: as stored, q4 where not quantised; auto: the best that fits)`,
} as const
const visionWeights = {
  kind: 'choice',
  value: 'FORMAT',
  choices: ['f32', 'f16', 'q8', 'q4'],
  about: 'weights of the vision tower: f32, f16, q8 or q4 (default q8, or as --weights where that says f32 or f16)',
} as const
const hub = {
  kind: 'text',
  value: 'ADDRESS',
  about: 'the hub that owner/name lies on (default https://huggingface.co, or GLM_HUB)',
} as const
const messages = {
  kind: 'text',
  value: 'FILE',
  about: 'OpenAI messages as a list in JSON instead; paths of pictures (image_url.url, video.frames) are relative to that file',
} as const
const coded = ['q4', 'q8'] as const
const most = Number.MAX_SAFE_INTEGER

export const commands = {
  score: {
    about: "Prints perplexity and the last position's five likeliest tokens, as one line of JSON.",
    model: 'required',
    exactlyOne: ['tokens', 'text', 'messages'],
    flags: {
      tokens: { kind: 'tokens', value: 'IDS', about: 'token ids with commas between them, such as 5,9,2' },
      text: { kind: 'text', value: 'TEXT', about: 'text to tokenize instead; special tokens in it are plain text' },
      messages,
      weights,
      'vision-weights': visionWeights,
      hub,
      logits: { kind: 'text', value: 'FILE', about: 'also writes all logits, little-endian float32 [tokens, vocabulary]' },
      ids: { kind: 'switch', about: 'also prints the token ids, those of pictures included' },
    },
  },
  chat: {
    about: 'Streams the answer to a prompt.',
    model: 'required',
    exactlyOne: ['prompt', 'messages'],
    apart: ['raw', 'system', 'messages'],
    flags: {
      prompt: { kind: 'text', value: 'TEXT', about: 'what the user says' },
      messages,
      system: { kind: 'text', value: 'TEXT', about: 'what the system message says' },
      'max-tokens': {
        kind: 'whole',
        value: 'N',
        low: 1,
        high: most,
        about: 'tokens of the answer at most (default: what the context holds)',
      },
      temperature: { kind: 'number', value: 'T', low: 0, high: 2, about: 'from 0 (always the likeliest token) to 2' },
      'top-k': { kind: 'whole', value: 'K', low: 0, high: 2 ** 24, about: 'draws from the K likeliest tokens; 0 from all' },
      'top-p': { kind: 'number', value: 'P', low: 0, high: 1, about: 'draws from the likeliest tokens that together have probability P' },
      seed: { kind: 'whole', value: 'S', low: -most, high: most, about: 'the same seed gives the same answer' },
      context: { kind: 'whole', value: 'N', low: 2, high: most, about: 'positions of prompt and answer together (default 4096)' },
      weights,
      'vision-weights': visionWeights,
      hub,
      raw: { kind: 'switch', about: 'gives the prompt without a chat template; special tokens in it count' },
      json: { kind: 'switch', about: 'prints tokens, usage and timings as a last line of JSON' },
    },
  },
  bench: {
    about: 'Measures how fast a model runs here, and what each token costs; prompts are random, no token ends them.',
    model: 'required',
    flags: {
      prompt: { kind: 'whole', value: 'N', low: 1, high: most, about: 'tokens of the prompt (default 512, or what the context holds)' },
      gen: { kind: 'whole', value: 'N', low: 1, high: most, about: 'tokens counted for each sequence, after warm-up (default 64)' },
      rows: { kind: 'whole', value: 'R', low: 1, high: most, about: 'sequences that decode together (default 1)' },
      context: {
        kind: 'whole',
        value: 'N',
        low: 1,
        high: most,
        about: 'positions that are filled before counting begins (default: the prompt)',
      },
      kv: { kind: 'text', value: 'FORMAT', about: 'keys and values: f16 (default), f32 or q8' },
      without: {
        kind: 'text',
        value: 'LIST',
        about: 'leaves out f16, dot8 (8-bit activations), subgroups or flight (tokens in flight), to see what each brings',
      },
      variant: {
        kind: 'text',
        value: 'ID',
        about:
          'one variant for all matrices: kernel:threads:lanes:stripes, as matmul:128:16:1, with :subgroups where squares are added by them',
      },
      untuned: { kind: 'switch', about: 'measures the variants that serve before the tuner has looked for faster ones' },
      weights,
      hub,
      json: { kind: 'switch', about: 'prints all of it as a last line of JSON' },
    },
  },
  doctor: {
    about: 'Says what this machine offers, and what a model takes of it; only headers are read.',
    model: 'optional',
    flags: {
      weights,
      'vision-weights': visionWeights,
      context: { kind: 'whole', value: 'N', low: 2, high: most, about: 'positions of prompt and answer together (default 4096)' },
      memory: {
        kind: 'number',
        value: 'GB',
        low: 1e-6,
        high: 1e6,
        about: 'memory that the model may take (default: half of the machine)',
      },
      hub,
      json: { kind: 'switch', about: 'prints all of it as a last line of JSON' },
    },
  },
  pack: {
    about: 'Makes a folder in 4-bit codes of a model: safetensors in shards of 64 MiB, with hashes and the error that it cost.',
    model: 'required',
    out: true,
    flags: {
      weights: { kind: 'choice', value: 'FORMAT', choices: coded, about: 'q4 or q8 (default q4; a quantised model stays as it is)' },
      group: { kind: 'choice', value: 'N', choices: ['32', '64', '128'], about: 'weights that share a scale: 32 (default), 64 or 128' },
      head: { kind: 'choice', value: 'FORMAT', choices: coded, about: 'format of the output head alone' },
      embedding: { kind: 'choice', value: 'FORMAT', choices: coded, about: 'format of the embedding alone' },
      force: { kind: 'switch', about: 'writes into a folder that is not empty' },
      hub,
      json: { kind: 'switch', about: 'prints the summary as a last line of JSON' },
    },
  },
} as const satisfies Record<string, Command>

export type CommandName = keyof typeof commands

/** The parsed flags of a command, by name. */
export type Values<Name extends CommandName> = {
  [Key in keyof (typeof commands)[Name]['flags']]?: Value<(typeof commands)[Name]['flags'][Key]>
}

/** A choice is one of its own. */
type Value<Of> = Of extends { choices: readonly (infer Choice)[] }
  ? Choice
  : Of extends { kind: infer Kind extends keyof Kinds }
    ? Kinds[Kind]
    : never

export const isCommand = (name: string | undefined): name is CommandName => name !== undefined && Object.hasOwn(commands, name)
