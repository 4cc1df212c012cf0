// Pictures that a person gives to a page: chosen, dropped or pasted while that page is shown; and how they are shown small.
import { GlmError, type PictureInput, readPicture } from 'glm-webgpu'
import { type Page, page } from './pages.ts'
import { part } from './view.ts'

const zone = part('drop')

/** Calls `take` with what is given to the page `mine`; on other pages nothing of it is touched. */
export function takePictures(mine: Page & ('ocr' | 'agent'), take: (files: File[]) => void): void {
  const input = part<HTMLInputElement>(`${mine}-files`)
  const given = (files: FileList | null | undefined) => {
    const list = [...(files ?? [])] // the list is emptied with its input
    if (list.length > 0) take(list)
    return list.length > 0
  }
  part(`${mine}-pick`).addEventListener('click', () => input.click())
  input.addEventListener('change', () => {
    given(input.files)
    input.value = '' // the same files can be chosen again
  })
  document.addEventListener('paste', (event) => {
    // Cells of a spreadsheet come as text and as a picture of it: in a field the text is meant.
    const written = event.target instanceof HTMLTextAreaElement && event.clipboardData?.types.includes('text/plain')
    if (page() === mine && !written && given(event.clipboardData?.files)) event.preventDefault()
  })
  const ours = (event: DragEvent) => {
    if (page() !== mine || !event.dataTransfer?.types.includes('Files')) return false
    event.preventDefault()
    event.stopPropagation()
    return true
  }
  addEventListener(
    'dragover',
    (event) => {
      if (!ours(event)) return
      event.dataTransfer!.dropEffect = 'copy'
      zone.hidden = false
    },
    { capture: true },
  )
  addEventListener(
    'drop',
    (event) => {
      if (!ours(event)) return
      zone.hidden = true
      given(event.dataTransfer?.files)
    },
    { capture: true },
  )
}

/** A picture as it is shown: drawn at most `side` pixels long, with the size that it has. */
export interface Shown {
  canvas: HTMLCanvasElement
  width: number
  height: number
}

/** Throws as the package does, with the file's name before the sentence. */
export async function showPicture(input: PictureInput, side: number): Promise<Shown> {
  const { data, width, height } = await readPicture(input).catch((error: unknown) => {
    throw error instanceof GlmError && input instanceof File
      ? new GlmError(error.code, `${input.name}: ${error.message}`, { cause: error })
      : error
  })
  const scale = Math.min(1, side / Math.max(width, height))
  const canvas = document.createElement('canvas')
  canvas.width = Math.max(1, Math.round(width * scale))
  canvas.height = Math.max(1, Math.round(height * scale))
  const size = { resizeWidth: canvas.width, resizeHeight: canvas.height, resizeQuality: 'high' } as const
  const bitmap = await createImageBitmap(new ImageData(new Uint8ClampedArray(data.buffer), width, height), size)
  canvas.getContext('2d')!.drawImage(bitmap, 0, 0)
  bitmap.close()
  return { canvas, width, height }
}
