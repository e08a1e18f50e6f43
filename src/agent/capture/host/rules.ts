import { capturePorts } from '../namespace/messages.ts'

/** Whose calls are caught in a network namespace that programs share. At least one of the first two is not empty: the sidecar's own must pass. */
export interface HostRules {
  /** Numeric user ids whose traffic passes by: the sidecar's. */
  readonly exceptUsers: readonly number[]
  /** Only these users' traffic is caught; empty: all but what is excepted. */
  readonly onlyUsers: readonly number[]
  /** Firewall marks (SO_MARK) that pass by. */
  readonly exceptMarks: readonly number[]
  /** Ports of this machine whose connections from outside go to the sidecar first; none: no list is empty but this. */
  readonly inboundPorts: 'all' | readonly number[]
  /** Ports that they reach directly all the same. */
  readonly exceptInboundPorts: readonly number[]
}

/** Of `inboundPorts` "all" this one stays out: whoever has to mend the machine comes by it. */
export const sshPort = 22

/** The one table that this makes, in the family `inet`. */
export const tableName = 'weft'

/**
 * Replaces the table, whole or not at all: done twice it is there once. DNS is caught wherever it is sent, TCP to anywhere but loopback; other
 * UDP goes its way. For `nft -f`.
 */
export function installRules({ exceptUsers, onlyUsers, exceptMarks, ...inbound }: HostRules): string {
  const set = (values: readonly number[]): string => `{ ${values.join(', ')} }`
  const passing = [
    ...(exceptUsers.length === 0 ? [] : [`meta skuid ${set(exceptUsers)} return`]),
    ...(exceptMarks.length === 0 ? [] : [`meta mark ${set(exceptMarks)} return`]),
    ...(onlyUsers.length === 0 ? [] : [`meta skuid != ${set(onlyUsers)} return`]),
  ]
  return `${removeRules}table inet ${tableName} {
  chain output {
    type nat hook output priority -100; policy accept;
${passing.map((rule) => `    ${rule}\n`).join('')}    udp dport 53 redirect to :${capturePorts.dns}
    tcp dport 53 redirect to :${capturePorts.dns}
    ip daddr 127.0.0.0/8 return
    ip6 daddr ::1 return
    meta l4proto tcp redirect to :${capturePorts.outbound}
  }
${inboundChain(inbound)}}
`
}

/**
 * Behind what others (Docker) do with their own ports, and not what only passes through this machine. What comes by loopback has taken its
 * way already.
 */
function inboundChain({
  inboundPorts,
  exceptInboundPorts,
}: Pick<HostRules, 'inboundPorts' | 'exceptInboundPorts'>): string {
  if (inboundPorts !== 'all' && inboundPorts.length === 0) return ''
  const caught = inboundPorts === 'all' ? 'meta l4proto tcp' : `tcp dport { ${inboundPorts.join(', ')} }`
  return `  chain inbound {
    type nat hook prerouting priority -90; policy accept;
    iifname "lo" return
    fib daddr type != local return
${exceptInboundPorts.length === 0 ? '' : `    tcp dport { ${exceptInboundPorts.join(', ')} } return\n`}    ${caught} redirect to :${capturePorts.inbound}
  }
`
}

/** Takes the table away, whether it is there or not. */
export const removeRules: string = `table inet ${tableName}\ndelete table inet ${tableName}\n`

/** What `nft -j list table` says of our own rules; undefined: this is no table of ours. */
export function readRules(json: unknown): HostRules | undefined {
  const rules = objectsIn(json, 'nftables').flatMap((one) => ('rule' in one ? [one['rule']] : []))
  if (rules.length === 0) return undefined
  const found = { exceptUsers: [] as number[], onlyUsers: [] as number[], exceptMarks: [] as number[] }
  const isInbound = (rule: unknown): boolean => field(rule, 'chain') === 'inbound'
  for (const [first, ...rest] of rules.filter((rule) => !isInbound(rule)).map((rule) => objectsIn(rule, 'expr'))) {
    const match = field(first, 'match')
    const key = field(field(field(match, 'left'), 'meta'), 'key')
    if (!rest.some((one) => 'return' in one)) continue
    const values = numbersIn(field(match, 'right'))
    if (key === 'mark') found.exceptMarks.push(...values)
    else if (key === 'skuid') found[field(match, 'op') === '!=' ? 'onlyUsers' : 'exceptUsers'].push(...values)
  }
  return { ...found, ...readInbound(rules.filter(isInbound).map((rule) => objectsIn(rule, 'expr'))) }
}

function readInbound(rules: readonly (readonly Json[])[]): Pick<HostRules, 'inboundPorts' | 'exceptInboundPorts'> {
  let inboundPorts: HostRules['inboundPorts'] = []
  const exceptInboundPorts: number[] = []
  for (const [first, ...rest] of rules) {
    const match = field(first, 'match')
    const ports = field(field(field(match, 'left'), 'payload'), 'field') === 'dport'
    const values = ports ? numbersIn(field(match, 'right')) : []
    if (rest.some((one) => 'redirect' in one)) inboundPorts = ports ? values : 'all'
    else exceptInboundPorts.push(...values)
  }
  return { inboundPorts, exceptInboundPorts }
}

/** Whether what this user's processes send is left alone: else a sidecar of this user would catch its own calls for ever. */
export const passesBy = ({ exceptUsers, onlyUsers }: HostRules, uid: number): boolean =>
  exceptUsers.includes(uid) || (onlyUsers.length > 0 && !onlyUsers.includes(uid))

type Json = Readonly<Record<string, unknown>>
const isObject = (value: unknown): value is Json => typeof value === 'object' && value !== null
const field = (value: unknown, name: string): unknown => (isObject(value) ? value[name] : undefined)
const objectsIn = (value: unknown, name: string): readonly Json[] => {
  const list = field(value, name)
  return Array.isArray(list) ? list.filter(isObject) : []
}

/** One value, or `{ "set": […] }` with values and `{ "range": [from, to] }`, into which nft joins neighbours. */
function numbersIn(value: unknown): readonly number[] {
  if (typeof value === 'number') return [value]
  const list: unknown = field(value, 'set')
  if (Array.isArray(list)) return list.flatMap(numbersIn)
  const range: unknown = field(value, 'range')
  if (!Array.isArray(range) || typeof range[0] !== 'number' || typeof range[1] !== 'number') return []
  const [from, to] = [range[0], range[1]]
  return Array.from({ length: to - from + 1 }, (_, index) => from + index)
}
