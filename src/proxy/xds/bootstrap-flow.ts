import type { Clock, Timer } from '../../base/clock.ts'
import type { Log } from '../../base/log.ts'
import type { Random } from '../../base/random.ts'
import { settable } from '../../base/watchable.ts'
import { createAdsClient, type AdsSource } from '../../xds/ads-client.ts'
import { connectGrpc } from '../../xds/grpc-client.ts'
import { serverProblem, serverTarget } from './ads-target.ts'
import { createConfigFlow, type ConfigFlow } from './config-flow.ts'
import type { Bootstrap } from './decode-bootstrap.ts'
import { needsOfListener, secretsOfCluster } from './needs.ts'
import { createResources, type GivenResources } from './resources.ts'
import { isSdsSecret } from './sds-secret.ts'
import { createSecretSources, type SecretSources } from './secret-sources.ts'
import { createWarming } from './warm.ts'

/** What a stream to a bootstrap's control plane needs. */
export interface BootstrapParts {
  readonly version: string
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
}

/**
 * The configuration that a bootstrap gives: fixed but for secrets, or with what its control plane says besides. `relayed`: somebody else holds the
 * stream.
 */
export function createBootstrapFlow(bootstrap: Bootstrap, parts: BootstrapParts, relayed?: AdsSource): ConfigFlow {
  const { given, ads: foreign } = bootstrap
  if (foreign === undefined) return fixed(bootstrap, parts)
  const source = relayed ?? bootstrapSource(bootstrap, parts)
  const { clock, log } = parts
  return createConfigFlow({
    source,
    given,
    foreign,
    secretSources: secretSources(bootstrap, parts),
    place: bootstrap.place,
    clock,
    log,
  })
}

/** A stream to the control plane that the bootstrap names. */
export const bootstrapSource =
  (bootstrap: Bootstrap, { version, clock, random, log }: BootstrapParts): AdsSource =>
  (receiver) =>
    createAdsClient({
      ...receiver,
      connect: () =>
        connectGrpc(serverTarget(bootstrap.ads?.cluster ?? '', bootstrap), { clock, log: log.named('xds') }),
      node: { ...bootstrap.node, version },
      olderWildcard: true,
      clock,
      random,
      log: log.named('xds'),
    })

/** Servers of secrets are asked by each process for itself. */
const secretSources =
  (bootstrap: Bootstrap, { version, clock, random, log }: BootstrapParts) =>
  (changed: () => void): SecretSources =>
    createSecretSources({
      targetOf: (cluster) =>
        serverProblem(cluster, bootstrap) === undefined ? serverTarget(cluster, bootstrap) : undefined,
      node: { ...bootstrap.node, version },
      changed,
      clock,
      random,
      log,
    })

function fixed(bootstrap: Bootstrap, parts: BootstrapParts): ConfigFlow {
  const { given } = bootstrap
  const { clock } = parts
  const sources = secretSources(bootstrap, parts)(() => settle())
  const warming = createWarming(createResources(given, { alone: true }), {
    ...parts,
    place: bootstrap.place,
    secrets: sources.secrets,
  })
  const config = settable(warming.config())
  const ready = Promise.withResolvers<void>()
  let limit: Timer | undefined
  function settle(): void {
    warming.settle()
    config.set(warming.config())
    if (config.value.listeners.size === given.LDS.size) ready.resolve()
    limit?.cancel()
    const atMs = warming.nextLimitMs()
    limit =
      atMs === undefined ? undefined : clock.after(Math.max(1, atMs - clock.nowMs()), settle, { background: true })
  }
  sources.want(secretsOfServers(given))
  settle()
  return {
    config,
    // All else was given at the start.
    forgetUnused() {},
    demand: () => Promise.resolve(false),
    demanded: () => [],
    ready: ready.promise,
    renew() {},
    close() {
      sources.close()
      limit?.cancel()
    },
    state: () => ({ controlPlane: 'none: everything stands in the bootstrap', secrets: sources.state() }),
  }
}

/** What the bootstrap's own resources want of servers of secrets. */
const secretsOfServers = ({ LDS, CDS }: GivenResources): ReadonlySet<string> =>
  new Set(
    [
      ...Array.from(LDS.values()).flatMap((listener) => needsOfListener(listener).secrets),
      ...Array.from(CDS.values()).flatMap(secretsOfCluster),
    ].filter(isSdsSecret),
  )
