// One run of the command line: parse, run, turn whatever was thrown into a sentence, and leave with a code.
//   0 well   1 doctor found a fault   2 an error, told in one sentence   130 interrupted   141 nobody reads any more
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { asGlmError } from '../errors.ts'
import { parse } from './arguments.ts'
import { bench } from './bench.ts'
import { chat } from './chat.ts'
import { doctor } from './doctor.ts'
import { help } from './help.ts'
import type { Setting } from './model.ts'
import { pack } from './pack.ts'
import { score } from './score.ts'
import { createTerminal } from './terminal.ts'

/** The process: its arguments, streams and signals. Never returns. */
export async function start(home: string): Promise<void> {
  const terminal = createTerminal(process.stdout, process.stderr)
  const interrupt = new AbortController()
  // Asked twice, it leaves at once.
  process.on('SIGINT', () => (interrupt.signal.aborted ? process.exit(130) : interrupt.abort()))
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') process.stderr.write(`glm-webgpu: ${sentence(error)}\n`)
    process.exit(error.code === 'EPIPE' ? 141 : 2)
  })
  process.stderr.on('error', () => {})
  const leave = async (code: number) => {
    await terminal.flush()
    process.exit(code) // Dawn would keep the process alive
  }
  const fail = (error: unknown) => {
    terminal.log(`glm-webgpu: ${sentence(error)}`)
    void leave(2)
  }
  process.on('uncaughtException', fail)
  process.on('unhandledRejection', fail)
  await leave(await run(process.argv.slice(2), { home, terminal, signal: interrupt.signal }))
}

/** Runs one command; the exit code. Never throws. */
export async function run(args: readonly string[], setting: Setting): Promise<number> {
  const { terminal, home, signal } = setting
  try {
    if (args.length === 0) {
      terminal.log(help().trimEnd())
      return 2
    }
    const call = parse(args)
    if (call.command === 'help') terminal.print(help(call.of))
    else if (call.command === 'version') terminal.print(`${version(home)}\n`)
    else if (call.command === 'score') return await score(call, setting)
    else if (call.command === 'chat') return await chat(call, setting)
    else if (call.command === 'bench') return await bench(call, setting)
    else if (call.command === 'pack') return await pack(call, setting)
    else return await doctor(call, setting)
    return 0
  } catch (error) {
    terminal.log(`glm-webgpu: ${signal.aborted ? 'Interrupted.' : sentence(error)}`)
    return signal.aborted ? 130 : 2
  }
}

/** What went wrong, on one line. */
export function sentence(error: unknown): string {
  const { code, message } = asGlmError(error)
  const line = message.replace(/\s*\n\s*/g, ' ').trim()
  return code === 'internal' && !line.includes('please report')
    ? `This is a fault of glm-webgpu, please report it: ${line || 'no reason was given.'}`
    : line
}

function version(home: string): string {
  return JSON.parse(readFileSync(join(home, '../package.json'), 'utf8')).version
}
