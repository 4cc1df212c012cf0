// A run → the section of Markdown that is printed, and that --write puts at the end of bench/RESULTS.md.
import { appendFileSync } from 'node:fs'
import { stored, storedNote } from './stored.mjs'
import { table } from './table.mjs'
import { sinceFirst, verdicts } from './verdicts.mjs'

/** `facts` is what machine() says, with `after`, the load at the end, and the versions that jobs found. */
export function report(rows, facts, kind, args) {
  const { date, commit, processors, load, after, versions } = facts
  const devices = [...new Set(rows.map(({ adapter, device }) => (device ? `${adapter}: ${device}` : undefined)).filter(Boolean))]
  const known = Object.entries(versions).filter(([, version]) => version)
  const beside = withStored(rows, kind)
  const says = [...(beside.length > 0 ? verdicts(rows) : []), ...sinceFirst(rows)]
  return [
    `## ${date} UTC, commit ${commit}`,
    '',
    `- command: \`npm run bench${args.length > 0 ? ` -- ${args.join(' ')}` : ''}\``,
    `- processors: ${processors}; load average ${load} before, ${after} after`,
    `- versions: ${known.map(([name, version]) => `${name} ${version}`).join(', ')}`,
    ...devices.map((device) => `- ${device}`),
    '',
    table([...rows, ...beside]),
    ...(beside.length > 0 ? ['', `Stored readings, not measured in this run (${storedNote}).`] : []),
    ...(says.length > 0 ? ['', ...says.map(({ text }) => `- ${text}`)] : []),
    '',
  ].join('\n')
}

/** The stored readings, where the run was on the adapter they were taken on. */
export const withStored = (rows, kind) =>
  kind === 'compare' ? stored.filter(({ adapter }) => rows.some((row) => row.adapter === adapter)) : []

export const write = (file, section) => appendFileSync(file, `\n${section}`)
