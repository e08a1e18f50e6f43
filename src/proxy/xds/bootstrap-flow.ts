import type { Clock } from '../../base/clock.ts'
import type { Log } from '../../base/log.ts'
import type { Random } from '../../base/random.ts'
import { settable } from '../../base/watchable.ts'
import { connectGrpc } from '../../xds/grpc-client.ts'
import { adsTarget } from './ads-target.ts'
import { createConfigFlow, type ConfigFlow } from './config-flow.ts'
import type { Bootstrap } from './decode-bootstrap.ts'
import { createResources, type GivenResources } from './resources.ts'
import { createWarming } from './warm.ts'

/** The configuration that a bootstrap gives: fixed, or with what its control plane says besides. */
export function createBootstrapFlow(
  { node, given, ads }: Bootstrap,
  parts: { readonly version: string; readonly clock: Clock; readonly random: Random; readonly log: Log },
): ConfigFlow {
  if (ads === undefined) return fixed(given, parts)
  const { version, ...rest } = parts
  return createConfigFlow({
    ...rest,
    connect: () => connectGrpc(adsTarget(ads.cluster, given), { clock: parts.clock, log: parts.log.named('xds') }),
    node: { ...node, version },
    given,
    foreign: ads,
  })
}

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
