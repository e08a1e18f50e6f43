import { formatAddress } from '../../base/address.ts'
import type { Endpoint, Model, ServicePort } from '../model/model.ts'

/** The port whose endpoints take over when too few of this one's are healthy. */
export function reserveOf({ traffic }: ServicePort, { services }: Model): ServicePort | undefined {
  const { service, port } = traffic?.failover || {}
  return service === undefined ? undefined : services.get(service)?.ports.find((one) => one.port === port)
}

/** Those of the reserve that are not the port's own already: an address stands in a cluster once. */
export function reserveEndpoints({ endpoints }: ServicePort, reserve: ServicePort | undefined): readonly Endpoint[] {
  if (reserve === undefined) return []
  const own = new Set(endpoints.map(({ address }) => formatAddress(address)))
  return reserve.endpoints.filter(({ address }) => !own.has(formatAddress(address)))
}

/** One cluster for both: it speaks what both understand, and believes the identities of both. */
export const withReserve = (port: ServicePort, reserve: ServicePort | undefined): ServicePort =>
  reserve === undefined
    ? port
    : {
        ...port,
        endpoints: [...port.endpoints, ...reserve.endpoints],
        identities: [...new Set([...port.identities, ...reserve.identities])].toSorted((a, b) => (a < b ? -1 : 1)),
      }
