import { isHttp } from '../../base/app-protocol.ts'
import type { Clock } from '../../base/clock.ts'
import { parseServicePortName } from '../../xds/names.ts'
import type { Model } from '../model/model.ts'
import type { DeltaStream } from './delta-stream.ts'

/** What the instances of services called when they were last here, so that the next ones can ask for it at once. In memory. */
export interface RememberedUses {
  /** An instance of `service` has gone, which used these. */
  left(service: string, names: readonly string[]): void
  /** What is remembered of a service, and `now`: what its present instances use. Sorted, each once. */
  of(service: string, now: readonly string[]): readonly string[]
}

const rememberedMs = 24 * 3_600_000
/** Far above any real service; what a proxy asks for is its own word. */
const maxNames = 500
const maxServices = 10_000

/** Empty. */
export function createRememberedUses(clock: Clock): RememberedUses {
  const services = new Map<string, { readonly names: readonly string[]; readonly atMs: number }>()
  const known = (service: string): readonly string[] => {
    const found = services.get(service)
    return found === undefined || clock.nowMs() - found.atMs > rememberedMs ? [] : found.names
  }
  return {
    left(service, names) {
      if (names.length === 0) return
      services.delete(service)
      const [oldest] = services.size >= maxServices ? services.keys() : []
      if (oldest !== undefined) services.delete(oldest)
      services.set(service, { names: names.slice(0, maxNames), atMs: clock.nowMs() })
    },
    of: (service, now) => [...new Set([...known(service), ...now])].toSorted().slice(0, maxNames),
  }
}

/** The service ports that a client calls by name: those whose routes it asks for, or, of raw TCP, whose cluster. */
export function usedBy(stream: Pick<DeltaStream, 'explicit'>, { services }: Model): readonly string[] {
  const isRaw = (name: string): boolean => {
    const parsed = parseServicePortName(name)
    const service = parsed && services.get(`${parsed.namespace}/${parsed.service}`)
    return service?.ports.some(({ port, protocol }) => port === parsed?.port && !isHttp(protocol)) === true
  }
  return [...stream.explicit('RDS'), ...[...stream.explicit('CDS')].filter(isRaw)].filter(
    (name) => parseServicePortName(name) !== undefined,
  )
}
