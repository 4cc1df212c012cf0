// The timeline page: takes pictures, videos, sound, captions, a camera, a microphone or a screen, and shows them as lanes on one time axis.
import { toSeconds } from 'glm-webgpu'
import { codeOf, hideError, showError } from './banner.ts'
import { inEveryLanguage, say } from './language.ts'
import { onPage, page } from './pages.ts'
import { announce } from './speech.ts'
import { startCell } from './timeline-cell.ts'
import { startChoices } from './timeline-choices.ts'
import { exampleNotes, recordExample } from './timeline-example.ts'
import { eventLane, freeId, type Mark, type Source } from './timeline-lane.ts'
import { redraw, startLanes } from './timeline-lanes.ts'
import { addDevice, type Device, onStopped, startLive, stopLive } from './timeline-live.ts'
import { pause, startPlay } from './timeline-play.ts'
import { startReport } from './timeline-report.ts'
import { startSight } from './timeline-sight.ts'
import { readWave } from './timeline-sound.ts'
import { type Opened, openFiles } from './timeline-sources.ts'
import { addSource, clear, fitAll, goTo, lanesChanged, now, onPlan } from './timeline-state.ts'
import type { Wave } from './timeline-wave.ts'
import { part } from './view.ts'
import type { Word } from './words.ts'

const devices: Device[] = ['camera', 'microphone', 'screen']
const bar = part<HTMLProgressElement>('timeline-progress')
const zone = part('drop')
/** What is being opened; ends with it, with Cancel, or with the page. */
let opening: AbortController | undefined
/** Everything that runs for the lanes that are there. */
let running = new AbortController()
/** Sounds whose waveforms are being made. */
const reading = new Set<Wave>()
let doing: Word = 'timelineOpening'

export function startTimeline(): void {
  part('timeline-example').addEventListener('click', () => void busy('timelineRecording', example))
  part('timeline-pick').addEventListener('click', () => part('timeline-files').click())
  part('timeline-files').addEventListener('change', pick)
  part('timeline-cancel').addEventListener('click', () => opening?.abort())
  part('timeline-clear').addEventListener('click', empty)
  for (const device of devices)
    part(`timeline-${device}`).addEventListener('click', () => void busy('timelineAsking', (signal) => addDevice(device, signal)))
  onStopped((sources) => {
    for (const source of sources) add(source)
    fitAll()
    part('timeline-ruler').focus({ preventScroll: true }) // the button is gone
  })
  startDrop()
  startLanes()
  startCell()
  startPlay(mark)
  startChoices()
  startSight()
  startReport()
  startLive()
  onPlan(write)
  onPage((one) => {
    if (one === 'timeline') redraw()
    else leave()
  })
  inEveryLanguage(write)
}

/** Lanes stay while another page is looked at, without their pictures; devices are given back. */
function leave(): void {
  opening?.abort()
  pause()
  stopLive(true)
  for (const { content } of now.lanes) if (content.kind === 'video') content.thumbs.rest()
}

function empty(): void {
  opening?.abort()
  reset()
  hideError()
  part('timeline-example').focus()
}

/** Lets go of all that is there. */
function reset(): void {
  running.abort()
  running = new AbortController()
  pause()
  if (now.live) stopLive(false)
  else clear()
}

function pick(event: Event): void {
  const input = event.target as HTMLInputElement
  const files = [...(input.files ?? [])]
  input.value = '' // the same files can be chosen again
  if (files.length > 0) void busy('timelineOpening', (signal) => open(files, signal))
}

/** One thing at a time, with its progress; an error is told as its own sentence. */
async function busy(word: Word, work: (signal: AbortSignal) => Promise<void>): Promise<void> {
  opening?.abort()
  const controller = new AbortController()
  opening = controller
  doing = word
  bar.removeAttribute('value')
  hideError()
  write()
  announce(say(word))
  try {
    await work(controller.signal)
  } catch (error) {
    if (!controller.signal.aborted && codeOf(error) !== 'aborted') showError(error)
  }
  if (opening === controller) opening = undefined
  write()
}

async function example(signal: AbortSignal): Promise<void> {
  const file = await recordExample((share) => {
    bar.value = share
  }, signal)
  reset()
  await open([file], signal)
  add(exampleNotes())
  goTo(1.1) // in the first flash
}

async function open(files: File[], signal: AbortSignal): Promise<void> {
  if (now.live) stopLive(false)
  const taken = () => now.lanes.map(({ id }) => id)
  for await (const source of openFiles(files, taken, signal)) add(source)
  announce(say('timelineOpened'))
}

function add(source: Opened | Source): void {
  try {
    addSource(source)
  } catch (error) {
    source.close()
    throw error
  }
  if ('heard' in source && source.heard) void hear(source.heard)
}

/** The lane is there before its waveform is. */
async function hear({ audio, wave }: NonNullable<Opened['heard']>): Promise<void> {
  const { signal } = running
  reading.add(wave)
  write()
  const arrived = (share: number) => {
    if (!opening) bar.value = share
    redraw()
  }
  try {
    await readWave(audio, wave, arrived, signal)
  } catch (error) {
    if (!signal.aborted && codeOf(error) !== 'closed') showError(error)
  }
  reading.delete(wave)
  write()
}

/** An event at the playhead, in a lane of its own. */
function mark(): void {
  if (now.live || now.lanes.length === 0) return
  const lane = now.lanes.find(({ content }) => content.kind === 'event')
  const time = now.playhead
  if (lane?.content.kind === 'event') {
    const marks = lane.content.marks as Mark[]
    marks.push({ time: time - lane.offset + origin(), text: say('timelineMarkName', { count: String(marks.length + 1) }) })
    marks.sort((a, b) => a.time - b.time)
    lane.count = marks.length
    lanesChanged()
  } else {
    const id = freeId(
      'events',
      now.lanes.map((one) => one.id),
    )
    add({
      lanes: [eventLane(id, say('timelineMarks'), [{ time: time + origin(), text: say('timelineMarkName', { count: '1' }) }])],
      warnings: [],
      close() {},
    })
  }
  announce(say('timelineMarked'))
}

const origin = (): number => toSeconds(now.plan?.origin ?? 0)

/** What is dropped while this page is shown is its own; on the others it is a model. */
function startDrop(): void {
  const ours = (event: DragEvent) => page() === 'timeline' && event.dataTransfer?.types.includes('Files') === true
  addEventListener(
    'dragover',
    (event) => {
      if (!ours(event)) return
      event.preventDefault()
      event.stopPropagation()
      event.dataTransfer!.dropEffect = 'copy'
      zone.hidden = false
    },
    { capture: true },
  )
  addEventListener(
    'drop',
    (event) => {
      if (!ours(event)) return
      event.preventDefault()
      event.stopPropagation()
      zone.hidden = true
      const files = [...event.dataTransfer!.files]
      if (files.length > 0) void busy('timelineOpening', (signal) => open(files, signal))
    },
    { capture: true },
  )
}

function write(): void {
  const some = now.lanes.length > 0
  const element = part('timeline-page')
  element.dataset.state = now.live ? 'live' : some ? 'work' : 'empty'
  element.ariaBusy = String(opening !== undefined)
  part('timeline-about').hidden = some || now.live
  part('timeline-work').hidden = !some && !now.live
  part('timeline-busy').hidden = opening === undefined && reading.size === 0
  part('timeline-doing').textContent = say(opening ? doing : 'timelineReading')
  part('timeline-cancel').hidden = opening === undefined
  part('timeline-clear').hidden = !some && !now.live
  for (const id of ['timeline-tools', 'timeline-choices', 'timeline-told', 'timeline-files-out']) part(id).hidden = now.live
  for (const id of ['timeline-live', 'timeline-live-told']) part(id).hidden = !now.live
}
