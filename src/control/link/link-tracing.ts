import { isHttp, isHttp2 } from '../../base/app-protocol.ts'
import type { TracingTagSpec } from '../decode/mesh-tracing.ts'
import type { ResourceOf } from '../decode/resource-types.ts'
import { destinationKind } from '../decode/service-ref.ts'
import type { InventorySnapshot } from '../inventory/snapshot.ts'
import type { MeshTracing, TraceTag } from '../model/model.ts'
import { findDestination } from './find-destination.ts'
import { didYouMean } from './link-backends.ts'
import { originOf, problemAt, type Linked } from './linked.ts'

/** The collector that a MeshConfig names, and what is sent to it; undefined: it names none, or the problem says why there are no spans. */
export function linkTracing(
  config: ResourceOf<'MeshConfig'>,
  snapshot: InventorySnapshot,
): Linked<MeshTracing | undefined> {
  const { tracing } = config.spec
  if (tracing === undefined) return { value: undefined, problems: [] }
  const { backendRef: ref, protocol: said } = tracing.collector
  const field = 'spec.tracing.collector'
  const refuse = (part: string, message: string, remedy = ''): Linked<undefined> => ({
    value: undefined,
    problems: [problemAt(config, `${field}.${part}`, `${message}, so there are no spans${remedy}`)],
  })
  const kind = destinationKind(ref)
  if (kind === undefined)
    return refuse(
      'backendRef.kind',
      `${JSON.stringify(ref.kind)} of group ${JSON.stringify(ref.group)} is neither a Service nor an ExternalService`,
    )
  const { namespace, name } = ref
  const what = `${kind} ${namespace}/${name}`
  const destination = findDestination(snapshot, { kind, namespace, name })
  if (destination === undefined)
    return refuse('backendRef.name', `there is no ${what}`, didYouMean(kind, name, snapshot, namespace))
  const port = destination.spec.ports.find((one) => one.port === ref.port)
  if (port === undefined) {
    const has = destination.spec.ports.map((one) => one.port).join(', ')
    return refuse('backendRef.port', `${what} has no port ${ref.port} (it has ${has})`)
  }
  const spoken = `port ${ref.port} of ${what} is ${port.protocol}`
  if (!isHttp(port.protocol))
    return refuse('backendRef.port', spoken, '; OTLP is HTTP: declare it so (appProtocol: grpc, or http)')
  if (said === 'grpc' && !isHttp2(port.protocol))
    return refuse('protocol', spoken, '; declare it grpc (appProtocol), or say protocol: http')
  const value: MeshTracing = {
    service: `${namespace}/${name}`,
    port: ref.port,
    protocol: said ?? (isHttp2(port.protocol) ? 'grpc' : 'http'),
    samplingPercent: tracing.samplingPercent,
    tags: tracing.customTags.map(linkTag),
    origin: originOf(config, 'spec.tracing'),
  }
  return { value, problems: [] }
}

const linkTag = (one: TracingTagSpec): TraceTag =>
  'value' in one
    ? { tag: one.tag, kind: 'text', value: one.value }
    : { tag: one.tag, kind: 'header', name: one.header, otherwise: one.default }
