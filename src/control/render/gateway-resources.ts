import { ListenerSchema } from '../../xds/gen/envoy/config/listener/v3/listener_pb.ts'
import { RouteConfigurationSchema } from '../../xds/gen/envoy/config/route/v3/route_pb.ts'
import { SecretSchema } from '../../xds/gen/envoy/extensions/transport_sockets/tls/v3/secret_pb.ts'
import { certificateSecret } from '../../xds/names.ts'
import type { Gateway, Model, Workload } from '../model/model.ts'
import { egressPorts, type CalledPort } from './egress.ts'
import { gatewaySockets, renderGatewayListener } from './gateway-listeners.ts'
import { gatewayTables, renderGatewayTable } from './gateway-routes.ts'
import type { RenderedResource, ResourceCache } from './resource-cache.ts'
import { renderCertificate } from './secrets.ts'
import { tracingOf } from './tracing.ts'

/** What a workload serves besides what every sidecar has; all empty when it is no gateway. */
export interface GatewayResources {
  readonly listeners: readonly string[]
  readonly tables: readonly string[]
  readonly secrets: readonly string[]
  listener(name: string): RenderedResource | undefined
  table(name: string): RenderedResource | undefined
  secret(name: string): RenderedResource | undefined
}

const none: GatewayResources = {
  listeners: [],
  tables: [],
  secrets: [],
  listener: () => undefined,
  table: () => undefined,
  secret: () => undefined,
}

/** The resources of the Gateway that a workload serves. */
export function gatewayResources(workload: Workload, model: Model, cache: ResourceCache): GatewayResources {
  const { namespace, name: own, gateway: instance } = workload
  const {
    gateways,
    certificates,
    mesh: { accessLog },
  } = model
  const gateway = instance && gateways.get(instance.gateway)
  if (gateway === undefined || instance === undefined) return none
  const { authorization } = instance
  const tracing = tracingOf(workload, model)
  const sockets = gatewaySockets(gateway, instance)
  const tables = gatewayTables(gateway)
  const egress = gateway.mesh.length === 0 ? [] : egressPorts(model, `${gateway.namespace}/${gateway.name}`)
  const secrets = new Map(
    [
      ...[...gateway.listeners, ...gateway.streams].flatMap((one) => one.certificates),
      ...[gateway.clientCertificate ?? []].flat(),
    ].map((secret) => [certificateSecret(secret), secret] as const),
  )
  return {
    listeners: sockets.map(({ name }) => name).toSorted(),
    tables: tables.map(({ name }) => name).toSorted(),
    secrets: Array.from(secrets.keys()).toSorted(),
    listener(name) {
      const socket = sockets.find((one) => one.name === name)
      if (socket === undefined) return undefined
      // Not the routes: they come and go without a change of the listener.
      const inputs = [socket, withoutRoutes(gateway), authorization, accessLog, tracing, egress.map(asListened)]
      return cache.get(`LDS ${namespace}/${own} ${name}`, name, inputs, ListenerSchema, () =>
        renderGatewayListener(gateway, socket, { authorization, accessLog, tracing, egress }),
      )
    },
    table(name) {
      const table = tables.find((one) => one.name === name)
      if (table === undefined) return undefined
      const inputs = [table, gateway.origin]
      return cache.get(`RDS ${name}`, name, inputs, RouteConfigurationSchema, () =>
        renderGatewayTable(table, gateway.origin),
      )
    },
    secret(name) {
      const secret = secrets.get(name)
      const certificate = secret === undefined ? undefined : certificates.get(secret)
      if (secret === undefined || certificate === undefined) return undefined
      return cache.get(`SDS ${name}`, name, [certificate], SecretSchema, () => renderCertificate(secret, certificate))
    },
  }
}

/** Those of calls come by RDS; where bytes go stands in the listener. */
const withoutRoutes = ({ listeners, streams, mesh, origin }: Gateway): readonly unknown[] => [
  listeners.map(({ hosts: _routes, ...listener }) => listener),
  streams,
  mesh,
  origin,
]

/** Not where it goes: that is in its cluster. */
const asListened = ({ service: { namespace, name }, port }: CalledPort): readonly unknown[] => [
  namespace,
  name,
  port.port,
  port.protocol,
  port.origin,
]
