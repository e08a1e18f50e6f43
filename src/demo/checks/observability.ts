import type { ProxyState } from '../../control/api/contract.ts'
import { takeReading, type Reading } from '../figures.ts'
import { httpGet } from '../http-get.ts'
import { since, total } from '../sidecar-metrics.ts'
import { allOf, type Check } from './verdict.ts'
import { instanceOf, visit } from './visits.ts'

const count = 200
/** Calls of the steady load that may be under way while the sidecars are read one after the other. */
const underWay = 6

/** Both ends count the same calls of the same edge, and every proxy tells what it runs. */
export const observability: Check = {
  title: 'observability',
  async verify(world) {
    const storefront = instanceOf(world, 'storefront')
    const instances = world.instances()
    const before = await takeReading(instances, world.clock)
    const visits = await visit(storefront, 'catalog', count)
    const now = await takeReading(instances, world.clock)
    const moved = (id: string): ReturnType<typeof since> =>
      since(before.byInstance.get(id) ?? [], now.byInstance.get(id) ?? [])
    const catalogs = instances.filter(({ service }) => service === 'catalog').map(({ id }) => id)
    const source = sourceOf(now, storefront.id)
    const sent = ['default/catalog-v1', 'default/catalog-v2', 'default/catalog']
      .map((service) =>
        total(moved(storefront.id), 'weft_requests_total', { direction: 'outbound', destination_service: service }),
      )
      .reduce((a, b) => a + b, 0)
    const received = catalogs
      .map((id) => total(moved(id), 'weft_requests_total', { direction: 'inbound', source, status: '200' }))
      .reduce((a, b) => a + b, 0)
    const dump = await httpGet(`${storefront.admin}/config_dump`)
    const proxies = (await world.api<readonly ProxyState[]>('/v1/proxies')) ?? []
    const synced = proxies.filter(
      ({ connected, types }) => connected && types.every((one) => one.synced && one.rejected.length === 0),
    )
    const config = await world.weft('config', 'storefront', 'clusters')
    return allOf([
      [
        visits.ok === count && sent >= count,
        `storefront's sidecar counted ${sent} calls to catalog (${count} and the steady load)`,
      ],
      [Math.abs(sent - received) <= underWay, `catalog's sidecars counted ${received} from ${source || 'nobody'}`],
      [dump.status === 200 && isJson(dump.text), 'its configuration can be read'],
      [config.status === 0, `weft config shows it too${config.status === 0 ? '' : `: ${config.output}`}`],
      [synced.length >= instances.length, `${synced.length} proxies have what they were sent`],
    ])
  },
}

const sourceOf = ({ byInstance }: Reading, id: string): string =>
  byInstance.get(id)?.find(({ name, labels }) => name === 'weft_requests_total' && labels['direction'] === 'outbound')
    ?.labels['source'] ?? ''

function isJson(text: string): boolean {
  try {
    JSON.parse(text)
    return true
  } catch {
    return false
  }
}
