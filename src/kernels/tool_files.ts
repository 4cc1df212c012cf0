// The WGSL that comes with tools.js alone, whatever the model: log-probabilities and penalties, squares by subgroups (which only a tuner chooses), the
// bench's stream.
import adjust from '../../shaders/adjust.wgsl?raw'
import logprobs from '../../shaders/logprobs.wgsl?raw'
import squaresSubgroups from '../../shaders/squares/subgroups.wgsl?raw'
import stream from '../../shaders/stream.wgsl?raw'

export const toolFiles = {
  adjust,
  logprobs,
  'squares/subgroups': squaresSubgroups,
  stream,
}
