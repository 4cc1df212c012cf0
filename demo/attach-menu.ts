// The button that attaches, and what opens above it: files, camera, screen; and where the loaded model sees nothing, the models that do.
import { type CatalogEntry, catalog, type ModelInfo } from 'glm-webgpu'
import { openLive } from './attach-live.ts'
import { inEveryLanguage, say } from './language.ts'
import { load } from './load.ts'
import { choose, chosen } from './models.ts'
import { loadOptions } from './options.ts'
import { bytes, make, part } from './view.ts'

type Sees = ModelInfo['sees']

const button = part<HTMLButtonElement>('attach')
const box = part('attach-box')
const menu = part('attach-menu')
let sees: Sees
/** Nothing while no model is loaded. */
let title: string | undefined

export function startMenu(pickFiles: () => void): void {
  const choices = { 'attach-pick': pickFiles, 'attach-camera': () => openLive('camera'), 'attach-screen': () => openLive('screen') }
  for (const [id, run] of Object.entries(choices)) {
    part(id).addEventListener('click', () => {
      close()
      button.focus()
      run()
    })
  }
  button.addEventListener('click', () => (menu.hidden ? openMenu() : close()))
  box.addEventListener('keydown', (event) => {
    if (event.key !== 'Escape' || menu.hidden) return
    event.stopPropagation() // an answer goes on
    close()
    button.focus()
  })
  document.addEventListener('pointerdown', ({ target }) => target instanceof Node && !box.contains(target) && close())
  box.addEventListener('focusout', ({ relatedTarget }) => {
    if (relatedTarget instanceof Node && !box.contains(relatedTarget)) close()
  })
  inEveryLanguage(write)
}

/** What the loaded model sees, and how it is called. */
export function offerFor(seeing: Sees, name: string | undefined): void {
  sees = seeing
  title = name
  write()
}

/** Opened at its first button, or at a model that sees. */
export function openMenu(): void {
  menu.hidden = false
  button.ariaExpanded = 'true'
  keepInside()
  const first = button.dataset.state === 'blind' ? '#attach-offers :is(button, a)' : '#attach-pick'
  menu.querySelector<HTMLElement>(first)?.focus()
}

/** On narrow screens it goes as far to the left as it must. */
function keepInside(): void {
  menu.style.left = ''
  const over = menu.getBoundingClientRect().right - document.documentElement.clientWidth + 16
  if (over > 0) menu.style.left = `${-over}px`
}

function close(): void {
  menu.hidden = true
  button.ariaExpanded = 'false'
}

function write(): void {
  const blind = title !== undefined && !sees?.picture
  button.textContent = blind ? say('attachBlind', { model: title! }) : say('attach')
  button.dataset.state = blind ? 'blind' : 'sees'
  part('attach-blind').hidden = !blind
  const able = catalog.filter((entry) => entry.sees)
  part('attach-needs').textContent = say(able.length > 0 ? 'attachOffer' : 'attachNone')
  const offers = able.length > 0 ? able.map(offer) : [make('a', { href: '#models', textContent: say('chooseModel') })]
  part('attach-offers').replaceChildren(...offers.map((one) => make('li', {}, one)))
}

/** What comes with the package is loaded at once; for others the Models page says first what they take. */
function offer(entry: CatalogEntry): HTMLElement {
  const text = `${entry.title} · ${bytes(entry.bytes, 2)}`
  const made = make('button', { type: 'button', className: 'plain', textContent: text })
  made.dataset.testid = `attach-load-${entry.id}`
  made.addEventListener('click', () => {
    close()
    button.focus()
    choose(entry.id)
    if (entry.repository) location.hash = '#models'
    else void load(chosen(), loadOptions())
  })
  return made
}
