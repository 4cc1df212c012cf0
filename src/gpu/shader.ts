// Linking: a shader is a list of WGSL files. Linking is concatenation; a variant is a choice of files, one alias and a few constants.
export interface ShaderFile {
  name: string
  source: string
}

export interface Linked {
  code: string
  /** Where a line of the linked code came from, for error messages. */
  locate(line: number): string
}

/** Joins a prelude made from `constants` and the files. `real` is the storage type of dense numbers. */
export function link(
  files: readonly ShaderFile[],
  constants: Record<string, number | string>,
  features: { f16?: boolean; subgroups?: boolean } = {},
): Linked {
  const prelude = [
    ...(features.f16 ? ['enable f16;'] : []),
    ...(features.subgroups ? ['enable subgroups;'] : []),
    `alias real = ${features.f16 ? 'f16' : 'f32'};`,
    ...Object.entries(constants).map(([name, value]) => `const ${name} = ${literal(value)};`),
    '',
  ].join('\n')
  const parts = [{ name: 'prelude', source: prelude }, ...files]
  return { code: parts.map((part) => part.source).join('\n'), locate: (line) => locate(parts, line) }
}

/** Whole numbers become u32; a string is taken as WGSL (`f32` constants such as an eps). */
function literal(value: number | string): string {
  return typeof value === 'string' ? value : `${value}u`
}

function locate(parts: readonly ShaderFile[], line: number): string {
  let rest = line
  for (const part of parts) {
    const lines = part.source.split('\n').length
    if (rest <= lines) return `${part.name}:${rest}`
    rest -= lines
  }
  return `line ${line}`
}

/** A WGSL `f32` literal that keeps every bit of a double's nearest float. */
export const float = (value: number): string => {
  const text = Math.fround(value).toExponential()
  return `${text}f`
}
