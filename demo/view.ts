// Elements by id, elements by tag, and numbers as people of the page's language write them.
import { language } from './language.ts'

export function part<T extends HTMLElement = HTMLElement>(id: string): T {
  const found = document.getElementById(id)
  if (!found) throw new Error(`index.html has no element with the id "${id}".`)
  return found as T
}

/** A new element. Text goes in as text, never as HTML. */
export function make<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  properties: Partial<HTMLElementTagNameMap[K]> = {},
  ...children: (Node | string)[]
): HTMLElementTagNameMap[K] {
  const made = Object.assign(document.createElement(tag), properties)
  made.append(...children)
  return made
}

/** Shows one of two buttons in the same place; focus goes along, so that nobody using the keyboard is thrown to the top. */
export function swap(shown: HTMLElement, hidden: HTMLElement): void {
  const focused = document.activeElement === hidden
  shown.hidden = false
  hidden.hidden = true
  if (focused) shown.focus()
}

export function number(value: number, digits = 0): string {
  return new Intl.NumberFormat(language(), { maximumFractionDigits: digits }).format(value)
}

export function percent(share: number): string {
  return new Intl.NumberFormat(language(), { style: 'percent' }).format(share)
}

/** 1850000 is `1.9 M`, in Chinese `185万`. */
export function compact(value: number): string {
  return new Intl.NumberFormat(language(), { notation: 'compact', maximumFractionDigits: 1 }).format(value)
}

const units = ['B', 'kB', 'MB', 'GB', 'TB']

/** `digits` behind the point where fewer than ten of a unit are told. */
export function bytes(value: number, digits = 1): string {
  const step = value < 1000 ? 0 : Math.min(units.length - 1, Math.floor(Math.log10(value) / 3))
  const scaled = value / 1000 ** step
  return `${number(scaled, scaled < 10 && step > 0 ? digits : 0)} ${units[step]}`
}

/** Undefined where the field is empty, or holds no number. */
export function numberIn(field: HTMLInputElement): number | undefined {
  return Number.isNaN(field.valueAsNumber) ? undefined : field.valueAsNumber
}
