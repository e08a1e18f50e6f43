import fs from 'node:fs'
import net from 'node:net'
import type { installed } from '../../agent/capture/host/nft.ts'
import { passesBy } from '../../agent/capture/host/rules.ts'
import { findCommand } from '../../agent/program.ts'
import type { Namespace } from '../../agent/capture/namespace/namespace.ts'
import { formatAddress, type Address } from '../../base/address.ts'
import { findingsAbout, type Finding } from './finding.ts'

/** What this machine is asked by: a test can be another one. */
export interface MachineParts {
  readonly env: Readonly<Record<string, string | undefined>>
  readonly platform: string
  /** Numeric; undefined where users have no numbers. */
  readonly uid: number | undefined
  /** A setting of the kernel by its path below /proc/sys, without the line's end; undefined: there is none. */
  readonly kernelSetting: (name: string) => string | undefined
  /** What `weft capture install` has loaded here. */
  readonly hostRules: () => ReturnType<typeof installed>
  /** Tries it: a namespace that is closed again, or a sentence about what is missing. */
  readonly openNamespace: () => Promise<Pick<Namespace, 'close' | 'carrier'> | { readonly missing: string }>
}

/** The mode that has to work; with `auto` what is missing is only told. */
export type WantedCapture = 'auto' | 'namespace' | 'host' | 'explicit'

const tools = [
  { name: 'unshare', from: 'util-linux' },
  { name: 'setpriv', from: 'util-linux' },
  { name: 'ip', from: 'iproute2' },
  { name: 'nft', from: 'nftables' },
] as const

/** Settings that take user namespaces from ordinary users, and what lifts them. Root needs none. */
const restrictions = [
  {
    name: 'user/max_user_namespaces',
    restricts: (value: string) => value === '0',
    remedy: 'as root: sysctl -w user.max_user_namespaces=15000',
  },
  {
    name: 'kernel/unprivileged_userns_clone',
    restricts: (value: string) => value === '0',
    remedy: 'as root: sysctl -w kernel.unprivileged_userns_clone=1',
  },
  {
    name: 'kernel/apparmor_restrict_unprivileged_userns',
    restricts: (value: string) => value === '1',
    remedy:
      'as root: sysctl -w kernel.apparmor_restrict_unprivileged_userns=0, or an AppArmor profile for unshare that allows "userns"',
  },
] as const

const { ok, bad } = findingsAbout('This machine')

/** What is there and what is missing, for each way of catching calls. The namespace is tried, not guessed. */
export async function checkMachine(parts: MachineParts, wanted: WantedCapture): Promise<readonly Finding[]> {
  const found: Finding[] = [ok('Node', `${process.version} (${process.execPath})`)]
  found.push(ok('capture explicit', 'works everywhere, for programs that heed HTTP_PROXY'))
  if (wanted === 'explicit') return found
  if (wanted === 'host') return [...found, checkHostRules(parts)]
  const state = wanted === 'namespace' ? 'failed' : 'warning'
  if (parts.platform !== 'linux') {
    const remedy = 'weft run --capture explicit'
    return [...found, bad(state, 'capture namespace', `needs Linux, this is ${parts.platform}`, remedy)]
  }
  found.push(...missingTools(parts, state), ...restricting(parts, state))
  const opened = await parts.openNamespace()
  if ('missing' in opened) {
    const remedy = found.some((one) => one.state !== 'ok')
      ? 'see above; until then: weft run --capture explicit'
      : 'in a container: allow it user namespaces or CAP_SYS_ADMIN and CAP_NET_ADMIN; or weft run --capture explicit'
    return [...found, bad(state, 'capture namespace', opened.missing, remedy)]
  }
  opened.close()
  return [...found, ok('capture namespace', 'works: one was made, with its rules, and taken down'), datagrams(opened)]
}

/** Without it all else is captured, and nothing is let by that should not be. */
function datagrams({ carrier }: Pick<Namespace, 'carrier'>): Finding {
  if (!('missing' in carrier)) return ok('UDP', 'reaches outside of the mesh where MeshConfig lets it')
  const remedy =
    'a kernel with nft_tproxy, nft_dup_ipv4 and nft_dup_ipv6; programs that need UDP: weft run --capture explicit'
  return bad('warning', 'UDP', `other than DNS can only be refused in a namespace: ${carrier.missing}`, remedy)
}

function checkHostRules({ hostRules, uid = -1 }: MachineParts): Finding {
  const what = 'capture host'
  const found = hostRules()
  const remedy = `as root: weft capture install --except-user ${uid}`
  if ('failed' in found) return bad('failed', what, found.failed, remedy)
  if (found.rules === undefined) return bad('failed', what, 'no rules are installed in this network namespace', remedy)
  return passesBy(found.rules, uid)
    ? ok(what, `rules are installed, and let a sidecar of user ${uid} pass`)
    : bad('failed', what, `the rules would catch what a sidecar of user ${uid} sends`, remedy)
}

function missingTools({ env }: MachineParts, state: 'warning' | 'failed'): readonly Finding[] {
  const path = `${env['PATH'] ?? ''}:/usr/sbin:/sbin`
  return tools.map(({ name, from }) => {
    const place = findCommand(name, { PATH: path })
    return 'file' in place ? ok(name, place.file) : bad(state, name, 'is not installed', `install ${from}`)
  })
}

function restricting({ uid, kernelSetting }: MachineParts, state: 'warning' | 'failed'): readonly Finding[] {
  if (uid === 0) return []
  return restrictions.flatMap(({ name, restricts, remedy }) => {
    const value = kernelSetting(name)
    const dotted = name.replaceAll('/', '.')
    return value !== undefined && restricts(value)
      ? [bad(state, dotted, `is ${value}: ordinary users get no user namespaces`, remedy)]
      : []
  })
}

/** Reads it below /proc/sys. */
export function kernelSetting(name: string): string | undefined {
  try {
    return fs.readFileSync(`/proc/sys/${name}`, 'utf8').trim()
  } catch {
    return undefined
  }
}

/** Whether a control plane could listen here now; `flag` says how to move it. */
export async function checkPort(what: string, address: Address, flag: string): Promise<Finding> {
  const server = net.createServer()
  const refusal = await new Promise<NodeJS.ErrnoException | undefined>((resolve) => {
    server.once('error', resolve)
    server.listen({ ...address, exclusive: true }, () => resolve(undefined))
  })
  server.close()
  const where = formatAddress(address)
  if (refusal === undefined) return ok(what, `${where} is free`)
  const why = refusal.code === 'EADDRINUSE' ? 'is taken by another program' : `cannot be had (${refusal.message})`
  return bad('warning', what, `${where} ${why}`, `weft up ${flag} HOST:PORT (port 0: any free one)`)
}
