// Reads pictures where there is no document.
import { readPicture } from '../../src/media/picture.ts'

self.addEventListener('message', async ({ data }) => {
  const answer = await readPicture(data).catch((error) => ({ error: String(error) }))
  postMessage({ document: typeof document, answer })
})
