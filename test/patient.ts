// Both adapters of the tests compute on the processor.
import { waitPatiently } from '../src/cli/patient.ts'

waitPatiently()
