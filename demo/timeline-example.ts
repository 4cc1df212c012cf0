// The example: a clip recorded in the page from a canvas and an oscillator, with a flash and a beep at every whole second, captions and events.
import { GlmError } from 'glm-webgpu'
import { say } from './language.ts'
import { eventLane, type Source, textLane } from './timeline-lane.ts'

const SECONDS = 4
const FLASH = 0.15 // s
const types = ['video/webm;codecs=vp8,opus', 'video/webm', 'video/mp4']

/** Takes as long as the clip lasts. */
export async function recordExample(onProgress: (share: number) => void, signal: AbortSignal): Promise<File> {
  const type = typeof MediaRecorder === 'undefined' ? undefined : types.find((one) => MediaRecorder.isTypeSupported(one))
  if (!type) throw new GlmError('request_invalid', 'This browser records no video; drop a file of your own.')
  const canvas = Object.assign(document.createElement('canvas'), { width: 320, height: 180 })
  const sound = new AudioContext()
  const beep = new GainNode(sound, { gain: 0 })
  const tone = new OscillatorNode(sound, { type: 'sawtooth', frequency: 440 })
  const heard = new MediaStreamAudioDestinationNode(sound, { channelCount: 1 })
  tone.connect(beep).connect(heard)
  const seen = canvas.captureStream(30)
  try {
    await sound.resume()
    tone.start()
    const recorder = new MediaRecorder(new MediaStream([...seen.getTracks(), ...heard.stream.getTracks()]), { mimeType: type })
    const parts: Blob[] = []
    const stopped = new Promise((resolve) => recorder.addEventListener('stop', resolve, { once: true }))
    recorder.addEventListener('dataavailable', ({ data }) => parts.push(data))
    draw(canvas, 0)
    recorder.start()
    await perform(canvas, sound, { beep, tone }, onProgress, signal)
    recorder.stop()
    await stopped
    return new File(parts, say('timelineExampleName'), { type: type.split(';')[0]! })
  } finally {
    for (const track of [...seen.getTracks(), ...heard.stream.getTracks()]) track.stop()
    await sound.close()
  }
}

/** What goes with it. */
export function exampleNotes(): Source {
  const seconds = Array.from({ length: SECONDS - 1 }, (_, k) => k + 1)
  const cues = seconds.map((start) => ({ start, end: start + 0.7, text: say('timelineExampleCue', { second: String(start) }) }))
  const marks = seconds.map((time) => ({ time, text: `${time} s` }))
  const from = say('timelineExampleNotes')
  return { lanes: [textLane('captions', from, cues), eventLane('events', from, marks)], warnings: [], close() {} }
}

/** Drawn by the sound's clock, so that flash and beep belong together. */
function perform(
  canvas: HTMLCanvasElement,
  sound: AudioContext,
  { beep, tone }: { beep: GainNode; tone: OscillatorNode },
  onProgress: (share: number) => void,
  signal: AbortSignal,
) {
  const from = sound.currentTime
  for (let second = 1; second < SECONDS; second++) {
    tone.frequency.setValueAtTime(440, from + second).exponentialRampToValueAtTime(1760, from + second + FLASH)
    beep.gain.setValueAtTime(0.5, from + second)
    beep.gain.setValueAtTime(0, from + second + FLASH)
  }
  return new Promise<void>((resolve, reject) => {
    const timer = setInterval(() => {
      const time = sound.currentTime - from
      if (!signal.aborted && time < SECONDS) {
        draw(canvas, time)
        onProgress(time / SECONDS)
        return
      }
      clearInterval(timer)
      if (signal.aborted) reject(new GlmError('aborted', 'The call was aborted.'))
      else resolve()
    }, 1000 / 30)
  })
}

/** A ball that goes round once a second, and the time in large digits. */
function draw(canvas: HTMLCanvasElement, time: number): void {
  const { width, height } = canvas
  const pen = canvas.getContext('2d')!
  const flash = time >= 1 && time % 1 < FLASH
  pen.fillStyle = flash ? '#fff' : `hsl(${190 + 40 * time} 45% 22%)`
  pen.fillRect(0, 0, width, height)
  const turn = 2 * Math.PI * (time - 0.25)
  pen.fillStyle = '#f2b134'
  pen.beginPath()
  pen.arc(width / 2 + 110 * Math.cos(turn), height / 2 + 60 * Math.sin(turn), 16, 0, 2 * Math.PI)
  pen.fill()
  pen.fillStyle = flash ? '#111' : '#fff'
  pen.font = '600 56px system-ui, sans-serif'
  pen.textAlign = 'center'
  pen.textBaseline = 'middle'
  pen.fillText(time.toFixed(1), width / 2, height / 2)
}
