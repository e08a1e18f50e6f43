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

/**
 * Answers questions about names of the mesh; undefined: it is none of ours. A resolver may first put its search domains behind a short
 * name: what is left without them counts. Source of the SRV names: Kubernetes, "DNS-Based Service Discovery".
 */
export function answerFromNames(
  question: { readonly name: string; readonly type: number },
  find: (host: string) => NamedService | undefined,
  search: readonly string[],
): MeshAnswer | undefined {
  const { name } = question
  const found = about(question, name, find)
  if (found !== undefined) return found
  for (const domain of search) {
    if (!name.endsWith(`.${domain}`)) continue
    const answer = about(question, name.slice(0, -domain.length - 1), find)
    if (answer !== undefined) return answer
  }
  return name.endsWith(ours) ? 'no-such-name' : undefined
}

function about(
  { name: asked, type }: { readonly name: string; readonly type: number },
  name: string,
  find: (host: string) => NamedService | undefined,
): MeshAnswer | undefined {
  const [, portName, host = name] = /^_([a-z0-9-]+)\._tcp\.(.+)$/.exec(name) ?? []
  const service = find(host)
  if (service === undefined) return undefined
  // What has addresses of its own outside is looked up there.
  if (service.hosts !== undefined && service.virtualIp === undefined) return undefined
  if (service.virtualIp === undefined) return 'not-yet'
  if (portName === undefined) {
    if (type !== dns.a && type !== dns.any) return nothing
    return { records: [{ type: 'A', name: asked, address: service.virtualIp }], additional: [] }
  }
  const port = service.ports.find((one) => one.name === portName)
  if (port === undefined) return 'no-such-name'
  if (type !== dns.srv && type !== dns.any) return nothing
  const target = service.hosts === undefined ? fullName(service) : host
  const record: DnsRecord = { type: 'SRV', name: asked, port: port.port, target }
  return { records: [record], additional: [{ type: 'A', name: target, address: service.virtualIp }] }
}

const fullName = ({ namespace, name }: NamedService): string => `${name}.${namespace}.svc.cluster.local`
