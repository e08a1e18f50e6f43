import type { Clock } from '../../base/clock.ts'
import type { Log } from '../../base/log.ts'
import type { Random } from '../../base/random.ts'
import { settable } from '../../base/watchable.ts'
import { createAdsClient, type AdsSource } from '../../xds/ads-client.ts'
import { connectGrpc } from '../../xds/grpc-client.ts'
import { adsTarget } from './ads-target.ts'
import { createConfigFlow, type ConfigFlow } from './config-flow.ts'
import type { Bootstrap } from './decode-bootstrap.ts'
import { createResources, type GivenResources } from './resources.ts'
import { createWarming } from './warm.ts'

/** What a stream to a bootstrap's control plane needs. */
export interface BootstrapParts {
  readonly version: string
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
}

/**
 * The configuration that a bootstrap gives: fixed, or with what its control plane says besides. `relayed`: somebody else holds the
 * stream.
 */
export function createBootstrapFlow(bootstrap: Bootstrap, parts: BootstrapParts, relayed?: AdsSource): ConfigFlow {
  const { given, ads: foreign } = bootstrap
  if (foreign === undefined) return fixed(given, parts)
  const source = relayed ?? bootstrapSource(bootstrap, parts)
  return createConfigFlow({ source, given, foreign, clock: parts.clock, log: parts.log })
}

/** A stream to the control plane that the bootstrap names. */
export const bootstrapSource =
  ({ node, given, ads }: Bootstrap, { version, clock, random, log }: BootstrapParts): AdsSource =>
  (receiver) =>
    createAdsClient({
      ...receiver,
      connect: () => connectGrpc(adsTarget(ads?.cluster ?? '', given), { clock, log: log.named('xds') }),
      node: { ...node, version },
      olderWildcard: true,
      clock,
      random,
      log: log.named('xds'),
    })

function fixed(given: GivenResources, parts: { readonly clock: Clock; readonly log: Log }): ConfigFlow {
  const warming = createWarming(createResources(given, { alone: true }), parts)
  warming.settle()
  return {
    config: settable(warming.config()),
    // All there is was given at the start.
    forgetUnused() {},
    demand: () => Promise.resolve(false),
    demanded: () => [],
    ready: Promise.resolve(),
    renew() {},
    close() {},
    state: () => ({ controlPlane: 'none: everything stands in the bootstrap' }),
  }
}
