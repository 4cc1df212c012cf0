// What the demuxer or a decoder throws, told in one sentence of ours.
import { asGlmError, GlmError } from '../errors.ts'
import { faultOf } from './faults.ts'

export function unreadable(error: unknown): GlmError {
  const name = (error as Error | undefined)?.name
  if (name === 'InputDisposedError') return new GlmError('closed', 'The file was closed; open it again.', { cause: error })
  if (name !== 'UnsupportedInputFormatError') return asGlmError(error, 'file_invalid', 'The file is damaged, or of an unknown kind: ')
  return new GlmError('file_invalid', 'This is no video or sound file; give MP4, MOV, WebM, MKV, MPEG-TS, WAV, MP3, FLAC, OGG or AAC.')
}

/** Times that are none are the file's fault, not the caller's. */
export function ofFile(error: unknown): unknown {
  const fault = faultOf(error)
  return fault ? new GlmError('file_invalid', (error as GlmError).message, { cause: fault }) : error
}
