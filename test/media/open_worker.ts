// A worker that opens a file and says what it found.
import { openMedia } from '../../src/media/open.ts'

addEventListener('message', async ({ data }) => {
  const media = await openMedia(data)
  const frame = await media.video!.frame(31)
  const [first] = await media.audio!.decode({ to: 0.5 })
  postMessage([media.format, media.video!.times.length, frame.codedWidth, first!.count])
  frame.close()
  media.close()
})
