import type { NamedService } from '../config.ts'
import { dns, type Answer, type DnsRecord } from './message.ts'

/** What there is to say to a question about the mesh. */
export type MeshAnswer =
  | Answer
  /** The name is the mesh's, and nobody else is to be asked. */
  | 'no-such-name'
  /** It has no address yet. */
  | 'not-yet'

/** Names that nobody outside can have. */
const ours = '.mesh'
const nothing: Answer = { records: [], additional: [] }

/** What there is in the mesh. */
export interface MeshNames {
  readonly find: (host: string) => NamedService | undefined
  /** Of a service without an address of its own; in the order in which clients shall try them. */
  readonly instancesOf: (service: NamedService) => readonly NamedService[]
}

/**
 * Answers questions about names of the mesh; undefined: it is none of ours. A resolver may first put its search domains behind a short
 * name: what is left without them counts. Source of the SRV names: Kubernetes, "DNS-Based Service Discovery".
 */
export function answerFromNames(
  question: { readonly name: string; readonly type: number },
  { find, instancesOf }: MeshNames,
  search: readonly string[],
): MeshAnswer | undefined {
  const { name } = question
  const names = { find, instancesOf }
  const found = about(question, name, names)
  if (found !== undefined) return found
  for (const domain of search) {
    if (!name.endsWith(`.${domain}`)) continue
    const answer = about(question, name.slice(0, -domain.length - 1), names)
    if (answer !== undefined) return answer
  }
  return name.endsWith(ours) ? 'no-such-name' : undefined
}

function about(
  { name: asked, type }: { readonly name: string; readonly type: number },
  name: string,
  { find, instancesOf }: MeshNames,
): MeshAnswer | undefined {
  const [, portName, host = name] = /^_([a-z0-9-]+)\._tcp\.(.+)$/.exec(name) ?? []
  const service = find(host)
  if (service === undefined) return undefined
  // What has addresses of its own outside is looked up there.
  if (service.hosts !== undefined && service.virtualIp === undefined) return undefined
  // A headless service is all of its instances.
  const targets = (service.virtualIp === undefined ? instancesOf(service) : [service]).flatMap((one) =>
    one.virtualIp === undefined
      ? []
      : [{ target: one.hosts === undefined ? fullName(one) : host, address: one.virtualIp }],
  )
  if (targets.length === 0) return 'not-yet'
  if (portName === undefined) {
    if (type !== dns.a && type !== dns.any) return nothing
    return { records: targets.map(({ address }) => ({ type: 'A', name: asked, address })), additional: [] }
  }
  const port = service.ports.find((one) => one.name === portName)
  if (port === undefined) return 'no-such-name'
  if (type !== dns.srv && type !== dns.any) return nothing
  return {
    records: targets.map(({ target }): DnsRecord => ({ type: 'SRV', name: asked, port: port.port, target })),
    additional: targets.map(({ target: of, address }): DnsRecord => ({ type: 'A', name: of, address })),
  }
}

const fullName = ({ namespace, name }: NamedService): string => `${name}.${namespace}.svc.cluster.local`
