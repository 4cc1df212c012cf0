// A live picture of the camera or of a screen, from which stills are taken. The device is given back when the panel closes, however it does.
import { type Capture, GlmError, openCamera, openScreen } from 'glm-webgpu'
import { codeOf, showError } from './banner.ts'
import { inEveryLanguage, say } from './language.ts'
import { onPage } from './pages.ts'
import { make, part } from './view.ts'

type Device = 'camera' | 'screen'

const openers = { camera: openCamera, screen: openScreen }
const panel = part('live')
const video = part<HTMLVideoElement>('live-video')
const take = part<HTMLButtonElement>('live-take')

let opened: { device: Device; controller: AbortController; capture?: Capture } | undefined
let given: (still: File) => void = () => {}
/** Stills so far, for their names. */
let stills = 0

export function startLive(onStill: (still: File) => void): void {
  given = onStill
  take.addEventListener('click', () => void shoot())
  part('live-close').addEventListener('click', closeLive)
  panel.addEventListener('keydown', (event) => {
    if (event.key !== 'Escape') return
    event.stopPropagation()
    closeLive()
  })
  onPage((page) => page !== 'chat' && closeLive())
  inEveryLanguage(write)
}

export async function openLive(device: Device): Promise<void> {
  closeLive()
  const mine: NonNullable<typeof opened> = { device, controller: new AbortController() }
  opened = mine
  write()
  part('live-close').focus()
  try {
    const capture = await openers[device]({
      signal: mine.controller.signal,
      ...(device === 'camera' && { constraints: { facingMode: 'environment' } }),
    })
    if (opened !== mine) return capture.close()
    mine.capture = capture
    void capture.ended.then(() => opened === mine && closeLive())
    video.srcObject = capture.stream
    await video.play()
    if (opened !== mine) return
    write()
    panel.scrollIntoView({ block: 'nearest' })
    take.focus()
  } catch (error) {
    if (opened !== mine) return
    closeLive()
    if (codeOf(error) !== 'aborted') showError(error)
  }
}

export function closeLive(): void {
  if (!opened) return
  const { controller } = opened
  const focused = panel.contains(document.activeElement)
  opened = undefined
  controller.abort() // closes the capture too
  video.srcObject = null
  write()
  if (focused) part('attach').focus()
}

/** PNG: what the model is given is what stood there. */
async function shoot(): Promise<void> {
  if (!opened?.capture || video.videoWidth === 0) return
  const name = `${say(opened.device === 'camera' ? 'liveCamera' : 'liveScreen', { count: String(++stills) })}.png`
  const canvas = make('canvas', { width: video.videoWidth, height: video.videoHeight })
  canvas.getContext('2d')!.drawImage(video, 0, 0)
  const still = await new Promise<Blob | null>((resolve) => canvas.toBlob(resolve, 'image/png'))
  canvas.width = 0 // its pixels go at once
  if (still) given(new File([still], name, { type: 'image/png' }))
  else showError(new GlmError('out_of_memory', 'There is no memory for the picture; share a smaller window.'))
}

function write(): void {
  panel.hidden = !opened
  panel.dataset.state = opened?.capture ? 'live' : 'asking'
  take.disabled = !opened?.capture
  part('live-text').textContent = say(opened?.capture ? 'liveOpen' : 'liveAsking')
}
