// The models we know by name, as data. Figures of files that we do not ship were read on public pages, said beside each; a load asks the hub anew.

export interface CatalogEntry {
  id: string
  title: string
  /** `owner/name` on the hub; absent for what comes with this package. */
  repository?: string
  /** The GGUF in it. */
  file?: string
  /** A commit where one is known to hold the file, else `main`. Of an embedded model: first digits of its weights' SHA-256. */
  revision: string
  /** Bytes of the files that a load reads; of a few only the three digits that the hub's page shows are known. */
  bytes: number
  /** Positions the model was made for. */
  context: number
  family: string
  licence: string
  /** What the licence wants shown where the model is used. */
  notice?: string
  about: string
  sees: boolean
  hears: boolean
}

const text = { sees: false, hears: false } as const
const edge = { family: 'glm', context: 8192, licence: 'GLM-Edge', notice: 'Built with GLM-Edge', revision: 'main', ...text } as const
const nine = { family: 'glm4', context: 32768, licence: 'MIT', revision: 'main', ...text } as const

export const catalog: readonly CatalogEntry[] = [
  {
    id: 'pocket',
    title: 'Pocket',
    bytes: 4149183,
    context: 1024,
    family: 'glm',
    licence: 'Apache-2.0',
    about: 'The embedded model: a toy of about two million parameters that answers within seconds and needs no download.',
    revision: '71472a4788b3',
    ...text,
  },
  {
    ...text,
    id: 'pocket-v',
    title: 'Pocket V',
    bytes: 4659221,
    context: 1024,
    family: 'glm46v',
    licence: 'Apache-2.0',
    about: 'Embedded too: a toy that sees shapes, colours and digits in pictures, and how they come, go and move in short clips.',
    revision: 'd5f2a9af8aee',
    sees: true,
  },
  // The repository's file page; bytes from a public script that checks them after its download.
  {
    ...edge,
    id: 'glm-edge-1.5b-chat',
    title: 'GLM-Edge 1.5B Chat',
    repository: 'zai-org/glm-edge-1.5b-chat-gguf',
    file: 'ggml-model-Q4_K_M.gguf',
    bytes: 980470144,
    about: 'Small enough for phones, in English and Chinese; commercial use asks for registration.',
  },
  // The repository's file page, at this commit, which says 2.63 GB.
  {
    ...edge,
    id: 'glm-edge-4b-chat',
    title: 'GLM-Edge 4B Chat',
    repository: 'zai-org/glm-edge-4b-chat-gguf',
    revision: 'b555ab826b67d59aa88e1d50512a2620098edb4d',
    file: 'ggml-model-Q4_K_M.gguf',
    bytes: 2.63e9,
    about: 'The larger GLM-Edge, for laptops; commercial use asks for registration.',
  },
  // Repository, file and bytes as two public model lists have them.
  {
    ...nine,
    id: 'glm-4-9b-0414',
    title: 'GLM-4 9B 0414',
    repository: 'unsloth/GLM-4-9B-0414-GGUF',
    file: 'GLM-4-9B-0414-Q4_K_M.gguf',
    bytes: 6166574944,
    about: 'A chat model of nine billion parameters, for graphics cards with memory of their own.',
  },
  // Repository, file and bytes as a public model list has them.
  {
    ...nine,
    id: 'glm-z1-9b-0414',
    title: 'GLM-Z1 9B 0414',
    repository: 'unsloth/GLM-Z1-9B-0414-GGUF',
    file: 'GLM-Z1-9B-0414-Q4_K_M.gguf',
    bytes: 6166575232,
    about: 'Its sister that thinks before it answers.',
  },
  // The repository's file page, at this commit, which says 6.25 GB.
  {
    ...nine,
    id: 'glm-4-9b-chat',
    title: 'GLM-4 9B Chat',
    family: 'glm',
    repository: 'bartowski/glm-4-9b-chat-GGUF',
    revision: '76b7d95e6af9b75f0639dc35e849fe5d92cab96c',
    file: 'glm-4-9b-chat-Q4_K_M.gguf',
    bytes: 6.25e9,
    context: 131072,
    licence: 'glm-4',
    about: 'The chat model before it, with a long context; its licence is its own.',
  },
]
