// What --help prints, from the table of commands.
import { type Command, type CommandName, commands, type Flag } from './commands.ts'

const models =
  'MODEL is a folder or a .gguf file, the http(s) address of one, owner/name on the hub (with @revision and /file.gguf where wanted), or a name of the catalog, such as `pocket`, which comes with this package.'

export function help(name?: CommandName): string {
  return name ? helpOf(name, commands[name]) : overview()
}

function overview(): string {
  const list = Object.entries(commands).map(([name, { about }]) => `  ${name.padEnd(8)}${about}`)
  return lines(
    'glm-webgpu runs GLM language models on your GPU.',
    '',
    ...Object.entries(commands).map(([name, command]) => `  ${usage(name, command)}`),
    '',
    ...list,
    '',
    models,
    'Logs go to stderr; JSON is the last line of stdout. `glm-webgpu COMMAND --help` lists the flags, `--version` tells the version.',
  )
}

function helpOf(name: CommandName, command: Command): string {
  const flags = Object.entries(command.flags).map(([key, flag]) => `  ${spelled(key, flag).padEnd(26)}${flag.about}`)
  return lines(usage(name, command), '', command.about, '', ...flags, '', models)
}

function usage(name: string, { model, exactlyOne = [] }: Command): string {
  const needed = exactlyOne.map((key) => spelled(key, (commands as Record<string, Command>)[name]!.flags[key]!)).join(' | ')
  return ['glm-webgpu', name, model === 'required' ? 'MODEL' : '[MODEL]', needed, '[flags]'].filter(Boolean).join(' ')
}

const spelled = (key: string, { value }: Flag) => `--${key}${value ? ` ${value}` : ''}`
const lines = (...all: string[]) => `${all.join('\n')}\n`
