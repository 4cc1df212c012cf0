// Caption files: bytes from anywhere become text (UTF-8 or UTF-16 by their mark), and text becomes cues.
import { GlmError } from '../errors.ts'
import { type BytesOptions, openBytes } from './container_bytes.ts'
import { type Captions, parseCues } from './cues.ts'

export interface CaptionOptions extends BytesOptions {
  /** Refuses a bad cue, else it is dropped and told. */
  strict?: boolean
  /** Language of all cues. */
  lang?: string
}

/** No captions of anything are longer. */
const MAX_BYTES = 2 ** 26

/** Cues of a WebVTT or SRT file. A string is an address where it is one, else the text itself. */
export async function readCaptions(input: Blob | string | URL | Uint8Array, options: CaptionOptions = {}): Promise<Captions> {
  const { strict, lang, ...from } = options
  const text = typeof input === 'string' && !isAddress(input) ? input : decode(await load(input, from))
  return parseCues(text, { ...(strict === undefined ? {} : { strict }), ...(lang === undefined ? {} : { lang }) })
}

/** One line without an arrow: no caption file is that. */
function isAddress(text: string): boolean {
  return !/[\r\n]|-->/.test(text) && !text.startsWith('WEBVTT') && text.trim() !== ''
}

async function load(input: Blob | string | URL | Uint8Array, options: BytesOptions): Promise<Uint8Array> {
  const bytes = await openBytes(input, options)
  if (bytes.size > MAX_BYTES) throw new GlmError('file_invalid', `Captions of ${bytes.size} bytes are none; give a WebVTT or SRT file.`)
  return bytes.read(0, bytes.size)
}

function decode(bytes: Uint8Array): string {
  const mark = (bytes[0] ?? 0) * 256 + (bytes[1] ?? 0)
  const encoding = mark === 0xfffe ? 'utf-16le' : mark === 0xfeff ? 'utf-16be' : 'utf-8'
  return new TextDecoder(encoding).decode(bytes)
}
