// What a model that sees needs beside its text model: the tower, the preparation of pictures, placeholders and what they show. The worker fetches this file
// (dist/vision.js) when a model has a tower.
export { openSeeing } from './engine/seeing.ts'

import { addFiles } from './kernels/loading_files.ts'
import { loadingOthers } from './kernels/loading_others.ts'

// Convolutions are coded by what comes with it.
addFiles(loadingOthers)
