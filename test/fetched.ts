// Tests load engines as their sources stand, in one graph of modules: what a page fetches is there from the start.
import { fetched } from '../src/kernels/fetched_files.ts'
import { addFiles } from '../src/kernels/loading_files.ts'
import { toolFiles } from '../src/kernels/tool_files.ts'

addFiles({ ...fetched, ...toolFiles })
