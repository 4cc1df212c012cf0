// WGSL as it ships: no comments, no needless spaces, and short names for what the shaders declare. One table of names serves all files, for linking is
// concatenation. Names in capitals stay: the host writes their values.
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

/** Words that are WGSL's own and that a shader of ours also declares as a name: renamed nowhere. */
const reserved = new Set(
  [
    'main',
    'array',
    'atomic',
    'bitcast',
    'bool',
    'f16',
    'f32',
    'i32',
    'u32',
    'real',
    'read',
    'write',
    'workgroup',
    'storage',
    'private',
    'function',
  ]
    .concat([
      'abs',
      'ceil',
      'clamp',
      'cross',
      'distance',
      'dot',
      'exp',
      'exp2',
      'floor',
      'fma',
      'fract',
      'length',
      'log',
      'max',
      'min',
      'mix',
    ])
    .concat([
      'modf',
      'normalize',
      'pow',
      'round',
      'select',
      'sign',
      'sqrt',
      'step',
      'transpose',
      'trunc',
      'fn',
      'let',
      'var',
      'const',
      'for',
      'if',
    ]),
)

const declarations = [
  /\bfn (\w+)/g, // functions
  /\b(?:let|const|var(?:<[^>]*>)?) (\w+)/g, // values
  /\bstruct (\w+)/g,
  /[({,]\s*(?:@builtin\(\w+\) )?(\w+)\s*:/g, // parameters and members
]

export function strip(wgsl) {
  const code = wgsl.replace(/\/\*[\s\S]*?\*\//g, ' ').replace(/\/\/.*/g, '')
  const lines = code.split('\n').map((line) => line.trim().replace(/ ?([=+\-*/<>&|^,;:{}()[\]%!?]) ?/g, '$1'))
  return `${lines.filter((line) => line !== '').join('\n')}\n`
}

/** Renames what all of `folder` declares. */
export function shortener(folder) {
  const sources = readdirSync(folder, { recursive: true })
    .filter((name) => name.endsWith('.wgsl'))
    .map((name) => readFileSync(join(folder, name), 'utf8').replace(/\/\/.*/g, ''))
  const all = sources.join('\n')
  const declared = new Set(declarations.flatMap((pattern) => [...all.matchAll(pattern)].map(([, name]) => name)))
  const uses = (name) => all.split(new RegExp(`\\b${name}\\b`)).length
  const names = [...declared].filter((name) => name.length > 2 && !reserved.has(name) && /[a-z]/.test(name))
  const short = new Map(names.sort((a, b) => uses(b) - uses(a)).map((name, index) => [name, shortName(index)]))
  return (code) => code.replace(/(@?)\b([A-Za-z_]\w*)\b/g, (word, at, name) => (at ? word : (short.get(name) ?? word)))
}

/** `_a`, `_b` … `_aa`: the underscore keeps them apart from one- and two-letter names, and from swizzles. */
function shortName(index) {
  const letters = 'abcdefghijklmnopqrstuvwxyz'
  const rest = Math.floor(index / 26)
  return `_${rest > 0 ? letters[rest - 1] : ''}${letters[index % 26]}`
}
