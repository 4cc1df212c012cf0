// The models we know by name, as data.

export interface CatalogEntry {
  id: string
  title: string
  /** Bytes of the files that a load reads. */
  bytes: number
  /** Positions the model was made for. */
  context: number
  family: string
  licence: string
  about: string
  /** First digits of the weights' SHA-256: a cached copy of other weights is not mistaken for these. */
  revision: string
}

export const catalog: readonly CatalogEntry[] = [
  {
    id: 'pocket',
    title: 'Pocket',
    bytes: 3779638,
    context: 1024,
    family: 'glm',
    licence: 'Apache-2.0',
    about: 'The embedded model: a toy of about two million parameters that answers within seconds and needs no download.',
    revision: 'b55cc3b2cc8a',
  },
]
