// The package's worker with spans in front of it. Wrapped here and not by the debugger: before a worker's script some interfaces are not there yet.
import './spans.js'
import '/dist/worker.js'
