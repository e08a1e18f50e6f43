import fs from 'node:fs'
import { install, installed, remove } from '../../agent/capture/host/nft.ts'
import { sshPort, type HostRules } from '../../agent/capture/host/rules.ts'
import { printOne, type Format } from '../print/structured.ts'
import { fail, misused, status, type Terminal } from '../terminal.ts'

/** Flags of `weft capture install`. */
export interface InstallFlags {
  readonly exceptUser?: readonly string[]
  readonly onlyUser?: readonly string[]
  readonly exceptMark?: readonly string[]
  readonly inboundPorts?: string
  readonly excludeInboundPorts?: string
}

/** Loads the rules into this network namespace; done twice they are there once. */
export async function installCapture(flags: InstallFlags, terminal: Terminal): Promise<number> {
  const exceptUsers = (flags.exceptUser ?? []).map(userId)
  const onlyUsers = (flags.onlyUser ?? []).map(userId)
  const exceptMarks = (flags.exceptMark ?? []).map((text) =>
    /^(0x[0-9a-f]{1,8}|\d{1,10})$/i.test(text) ? Number(text) : undefined,
  )
  const given = [...(flags.exceptUser ?? []), ...(flags.onlyUser ?? []), ...(flags.exceptMark ?? [])]
  const wrong =
    given[[...exceptUsers, ...onlyUsers, ...exceptMarks].findIndex((one) => one === undefined || one > 0xff_ff_ff_ff)]
  if (wrong !== undefined)
    return misused(terminal, 'capture install', `${JSON.stringify(wrong)} is no user (name or number) or mark (number)`)
  const known = (list: readonly (number | undefined)[]): readonly number[] => [
    ...new Set(list.filter((one) => one !== undefined)),
  ]
  if (exceptUsers.length === 0 && onlyUsers.length === 0)
    return misused(
      terminal,
      'capture install',
      'say whose calls pass by (--except-user, the one that the sidecar runs as) or whose are caught (--only-user): else the sidecar would catch its own',
    )
  const inbound = readInbound(flags)
  if ('wrong' in inbound) return misused(terminal, 'capture install', inbound.wrong)
  const failed = install(
    { exceptUsers: known(exceptUsers), onlyUsers: known(onlyUsers), exceptMarks: known(exceptMarks), ...inbound },
    terminal.env,
  )
  return failed === undefined ? showCapture({}, terminal) : fail(terminal, failed)
}

/** All ports but ssh's unless told; a port that is named is caught, whichever it is. */
function readInbound({
  inboundPorts: caught = 'all',
  excludeInboundPorts: passing = '',
}: InstallFlags): Pick<HostRules, 'inboundPorts' | 'exceptInboundPorts'> | { readonly wrong: string } {
  const words = (text: string): readonly string[] =>
    text
      .split(',')
      .map((word) => word.trim())
      .filter((word) => word !== '')
  const named = caught === 'all' || caught === 'none' ? [] : words(caught)
  const wrong = [...named, ...words(passing)].find(
    (word) => !/^\d{1,5}$/.test(word) || Number(word) < 1 || Number(word) > 65_535,
  )
  if (wrong !== undefined || (caught !== 'none' && caught !== 'all' && named.length === 0))
    return { wrong: `${JSON.stringify(wrong ?? caught)} is no port: give numbers with commas between, all or none` }
  const except = words(passing).map(Number)
  return {
    inboundPorts: caught === 'all' ? 'all' : named.map(Number),
    exceptInboundPorts: caught === 'none' ? [] : [...new Set(caught === 'all' ? [sshPort, ...except] : except)],
  }
}

/** Takes them away; it is no error if there were none. */
export async function removeCapture(terminal: Terminal): Promise<number> {
  const failed = remove(terminal.env)
  if (failed !== undefined) return fail(terminal, failed)
  terminal.out('no rule of ours is left in this network namespace\n')
  return status.done
}

/** Says what is installed. */
export async function showCapture({ output }: { readonly output?: Format }, terminal: Terminal): Promise<number> {
  const found = installed(terminal.env)
  if ('failed' in found) return fail(terminal, found.failed)
  const { rules } = found
  if (output !== undefined) await printOne(terminal, { installed: rules !== undefined, ...rules }, output)
  else if (rules === undefined) terminal.out('no rules are installed in this network namespace\n')
  else {
    const list = (title: string, values: readonly number[]): string =>
      values.length === 0 ? '' : `; ${title} ${values.join(', ')}`
    terminal.out(
      `TCP and DNS of this network namespace go to the sidecar (weft run --capture host)${list('only of users', rules.onlyUsers)}` +
        `${list('but not of users', rules.exceptUsers)}${list('nor with marks', rules.exceptMarks)}\n${inboundLine(rules)}`,
    )
  }
  return rules === undefined ? status.failed : status.done
}

const inboundLine = ({ inboundPorts, exceptInboundPorts }: HostRules): string => {
  if (inboundPorts !== 'all' && inboundPorts.length === 0)
    return 'connections from outside reach the programs directly: their ports are no concern of the sidecar\n'
  const ports = inboundPorts === 'all' ? 'all ports' : `ports ${inboundPorts.join(', ')}`
  const but = exceptInboundPorts.length === 0 ? '' : ` but ${exceptInboundPorts.join(', ')}`
  return `connections from outside to ${ports}${but} go to it first\n`
}

/** A number as it is, a name as this system has it; undefined: there is none. Source: passwd(5). */
function userId(text: string): number | undefined {
  if (/^\d{1,10}$/.test(text)) return Number(text)
  try {
    const line = fs
      .readFileSync('/etc/passwd', 'utf8')
      .split('\n')
      .find((one) => one.startsWith(`${text}:`))
    return line === undefined ? undefined : Number(line.split(':')[2])
  } catch {
    return undefined
  }
}
