// Asking the user for a device: what is asked for, what can go wrong as a table, and letting go when the caller aborts.
import { GlmError, throwIfAborted } from '../errors.ts'

export type CaptureKind = 'camera' | 'microphone' | 'screen'

export interface CaptureOptions {
  /** What the device should give: size, frame rate, `deviceId`, `facingMode`, … Sound is asked for in one channel. */
  constraints?: MediaTrackConstraints
  /** Ends the asking with `aborted`, and later closes the capture. */
  signal?: AbortSignal
}

const requests: Record<CaptureKind, (devices: MediaDevices, constraints: MediaTrackConstraints) => Promise<MediaStream>> = {
  camera: (devices, video) => devices.getUserMedia({ video }),
  microphone: (devices, audio) => devices.getUserMedia({ audio: { channelCount: 1, ...audio } }),
  screen: (devices, video) => devices.getDisplayMedia({ video }),
}

/** By name of the browser's error. */
const reasons: Record<string, (kind: CaptureKind, error: { constraint?: string }) => string> = {
  NotAllowedError: (kind) =>
    kind === 'screen'
      ? 'The screen was not shared: the dialog was closed or sharing is forbidden; ask again and choose a screen.'
      : `Permission for the ${kind} was refused; allow it for this page in the browser's settings and ask again.`,
  NotFoundError: (kind) => `There is no ${kind}; connect one and ask again.`,
  NotReadableError: (kind) => `The ${kind} cannot be read: another program may use it; close that and ask again.`,
  AbortError: (kind) => `The ${kind} failed to start; reconnect it and ask again.`,
  OverconstrainedError: (kind, { constraint }) => `No ${kind} meets the constraint ${constraint || 'given'}; ask for less.`,
  SecurityError: (kind) => `This page may not use a ${kind}; allow it in the browser's settings.`,
  InvalidStateError: (kind) => `The ${kind} must be asked for from a click; call openScreen in a button's listener.`,
  TypeError: (kind) => `The constraints for the ${kind} are none; see MediaTrackConstraints.`,
}

/** A stream of one track. */
export async function ask(
  kind: CaptureKind,
  { constraints = {}, signal }: CaptureOptions,
  devices: MediaDevices | undefined,
): Promise<MediaStream> {
  throwIfAborted(signal)
  if (!devices?.[kind === 'screen' ? 'getDisplayMedia' : 'getUserMedia']) throw new GlmError('request_invalid', lacking(kind))
  const asked = requests[kind](devices, constraints)
  try {
    return await unlessAborted(asked, signal)
  } catch (error) {
    throwIfAborted(signal)
    const { name, message } = error as Error
    const reason = reasons[name]?.(kind, error as { constraint?: string })
    throw new GlmError('request_invalid', reason ?? `The ${kind} could not be opened: ${message}`, { cause: error })
  }
}

function lacking(kind: CaptureKind): string {
  if (!globalThis.isSecureContext) return `A ${kind} is given to secure pages only; serve this one by https or from localhost.`
  return `This browser gives no ${kind} here; call it on the page, not in a worker, or use another browser.`
}

/** The user may answer long after the abort: what comes then is stopped at once. */
function unlessAborted(asked: Promise<MediaStream>, signal: AbortSignal | undefined): Promise<MediaStream> {
  return new Promise((resolve, reject) => {
    const abort = () => reject(signal?.reason)
    signal?.addEventListener('abort', abort, { once: true })
    const settle = (stream: MediaStream) => {
      if (signal?.aborted) for (const track of stream.getTracks()) track.stop()
      resolve(stream)
    }
    void asked.then(settle, reject).then(() => signal?.removeEventListener('abort', abort))
  })
}
