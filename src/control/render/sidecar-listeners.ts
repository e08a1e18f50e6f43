import { ListenerSchema } from '../../xds/gen/envoy/config/listener/v3/listener_pb.ts'
import type { Model, Workload } from '../model/model.ts'
import { renderEnvoyOutbound, renderEnvoyTunnel } from './envoy-outbound.ts'
import { findNameSplit, renderNameSplit, tunnelName } from './envoy-streams.ts'
import { inboundListenerName, renderInboundListener } from './inbound-listener.ts'
import { outboundListenerName, renderOutboundListener } from './outbound-listener.ts'
import type { RenderedResource, ResourceCache } from './resource-cache.ts'
import { tracingOf, type CallTracing } from './tracing.ts'

/** A listener of a workload by its name; undefined: it has none that is called so. */
export function sidecarListener(
  name: string,
  workload: Workload,
  model: Model,
  cache: ResourceCache,
): RenderedResource | undefined {
  const { mesh, trustDomain } = model
  const key = `LDS ${workload.namespace}/${workload.name} ${name}`
  const { outbound, capture, origin } = workload
  const tracing = tracingOf(workload, model)
  const ofEnvoy = envoyListener(name, workload, { model, tracing, cache })
  if (ofEnvoy !== undefined) return ofEnvoy
  if (name === outboundListenerName(capture) && outbound !== undefined) {
    return cache.get(key, name, [outbound, capture, mesh, tracing], ListenerSchema, () =>
      renderOutboundListener(capture, outbound, mesh, tracing),
    )
  }
  const port = workload.inbound.find((one) => inboundListenerName(one) === name)
  if (port === undefined) return undefined
  return cache.get(key, name, [port, origin, workload.proxy, mesh.accessLog, tracing], ListenerSchema, () =>
    renderInboundListener(workload, port, { accessLog: mesh.accessLog, trustDomain, tracing }),
  )
}

/** Where an Envoy takes outbound calls: other listeners than ours, since it looks no name up. */
function envoyListener(
  name: string,
  { proxy, outbound, namespace, name: workload, service }: Workload,
  {
    model,
    tracing,
    cache,
  }: { readonly model: Model; readonly tracing: CallTracing | undefined; readonly cache: ResourceCache },
): RenderedResource | undefined {
  const { mesh } = model
  if (proxy !== 'envoy' || outbound === undefined) return undefined
  if (name === tunnelName) {
    const key = tracing === undefined ? `LDS ${name}` : `LDS ${name} of ${service}`
    return cache.get(key, name, [mesh, tracing], ListenerSchema, () => renderEnvoyTunnel(mesh, tracing))
  }
  const split = findNameSplit(name, model, namespace)
  if (split !== undefined) {
    const inputs = [split.streams, split.port.origin, mesh.accessLog]
    return cache.get(`LDS ${name} for ${namespace}`, name, inputs, ListenerSchema, () => renderNameSplit(split, mesh))
  }
  if (name !== outboundListenerName(undefined)) return undefined
  return cache.get(`LDS ${namespace}/${workload} ${name}`, name, [outbound, mesh, tracing], ListenerSchema, () =>
    renderEnvoyOutbound(outbound, mesh, tracing),
  )
}
