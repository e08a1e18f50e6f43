import fs from 'node:fs'
import net from 'node:net'
import path from 'node:path'
import { formatAddress, parseAddress, type Address } from '../base/address.ts'
import type { Clock } from '../base/clock.ts'
import type { Log } from '../base/log.ts'
import { formatProblem, hasErrors } from '../base/problem.ts'
import type { Random } from '../base/random.ts'
import { openCertificateAuthority } from '../ca/authority.ts'
import { createJoinTokens } from '../ca/join-token.ts'
import { keepServerCertificate } from '../ca/server-certificate.ts'
import { AgentService } from '../xds/gen/weft/agent/v1/agent_pb.ts'
import { controlPlaneId } from '../xds/names.ts'
import { apiToken } from './api/api-token.ts'
import { startApi } from './api/api.ts'
import type { Info } from './api/contract.ts'
import { apiParts } from './api-parts.ts'
import { backUp, storeFile, sweepBackups } from './backup.ts'
import { watchFiles, type FileSource } from './collect/file-source.ts'
import { memoryStore } from './collect/memory-store.ts'
import { openSqliteStore } from './collect/sqlite-store.ts'
import type { Store } from './collect/store.ts'
import { createInventory } from './inventory/inventory.ts'
import { keepVirtualIps } from './inventory/keep-virtual-ips.ts'
import { liveModel } from './live-model.ts'
import { createAds } from './serve/ads.ts'
import { startGrpcEndpoint } from './serve/grpc-endpoint.ts'
import { createQuotaServer } from './serve/quota-service.ts'
import { hostedService } from './serve/service.ts'
import { createAgentService } from './session/agent-service.ts'
import { createSystemTrust } from './system-trust.ts'

export interface ControlPlaneOptions {
  /** Exists, 0700, and is locked by the caller. */
  readonly dataDir: string
  readonly store: 'sqlite' | 'memory'
  /** HOST:PORT of ADS and the agent service; port 0 picks a free one. */
  readonly xds: string
  /** HOST:PORT of the API. */
  readonly api: string
  /** The name or address under which other machines reach xDS. */
  readonly advertise?: string
  /** Resource files and directories, watched. */
  readonly files: readonly string[]
  readonly trustDomain?: string
  /** Of workloads' certificates; default 24 h. */
  readonly leafTtlMs?: number
  readonly version: string
  readonly log: Log
  readonly clock: Clock
  readonly random: Random
}

export interface ControlPlane {
  readonly info: Info
  stop(): Promise<void>
}

/** DESIGN: `cluster.local` is for Kubernetes. */
const defaultTrustDomain = 'weft.local'
const defaultLeafTtlMs = 24 * 3_600_000
const defaultTokenTtlMs = 24 * 3_600_000

/**
 * Wires the stages together, in the order in which configuration flows. Rejects with a sentence for the person who started it when
 * something is not to be had (a port, the store, a file with errors); nothing is left running then.
 */
export async function startControlPlane(options: ControlPlaneOptions): Promise<ControlPlane> {
  const { dataDir, log, clock, random, trustDomain = defaultTrustDomain } = options
  const stops: (() => void | Promise<void>)[] = []
  const stop = async (): Promise<void> => {
    for (const end of stops.splice(0).toReversed()) await end()
  }
  try {
    const files = options.files.length === 0 ? undefined : openFiles(options.files, { clock, log: log.named('files') })
    if (files !== undefined) stops.push(() => files.close())
    const store = openStore(options)
    stops.push(() => store.close())
    const ca = orThrow(
      await openCertificateAuthority({
        dir: path.join(dataDir, 'ca'),
        trustDomain,
        clock,
        leafTtlMs: options.leafTtlMs ?? defaultLeafTtlMs,
        log: log.named('ca'),
      }),
    )
    const tokens = orThrow(createJoinTokens({ dir: path.join(dataDir, 'ca'), clock }))

    const inventory = await createInventory({
      store,
      ...(files === undefined ? {} : { files }),
      log: log.named('inventory'),
    })
    stops.push(() => inventory.close())
    const virtualIps = keepVirtualIps({ store, current: inventory.current, clock, log: log.named('inventory') })
    stops.push(() => virtualIps.close())
    const live = liveModel(inventory, { trustDomain, log: log.named('link') })
    const ads = createAds({
      model: live.model,
      trustBundlePem: ca.trustBundlePem,
      systemTrustPem: createSystemTrust(),
      clock,
      log: log.named('ads'),
    })
    stops.push(() => ads.close())
    const quota = createQuotaServer({ model: live.model, clock, log: log.named('quota') })
    stops.push(() => quota.close())
    // The address is known once the door is open; nobody asks before.
    let xdsAddress = ''
    const sessions = await createAgentService({
      store,
      health: inventory.health,
      ca,
      tokens,
      removalAcked: async (workload, deadlineMs) => (await ads.removalAcked(workload, deadlineMs)).laggards,
      usedBy: (service) => ads.usedBy(service),
      xdsAddress: () => xdsAddress,
      clock,
      log: log.named('session'),
    })
    stops.push(() => sessions.close())

    const serverCertificate = await keepServerCertificate(serverNames(options, trustDomain), {
      ca,
      clock,
      random,
      log: log.named('ca'),
    })
    stops.push(() => serverCertificate.close())
    const door = await startGrpcEndpoint({
      address: addressOf(options.xds),
      unixPath: path.join(dataDir, 'agent.sock'),
      serverCertificate: serverCertificate.current,
      clientTrustPem: ca.trustBundlePem,
      services: [ads.service, quota.service, hostedService(AgentService, sessions.handlers)],
      log: log.named('grpc'),
    })
    stops.push(() => door.close())
    xdsAddress = reachable(door.address ?? addressOf(options.xds), options.advertise)

    let apiAddress = options.api
    const info = (): Info => ({
      version: options.version,
      trustDomain,
      xdsAddress,
      apiAddress,
      rootHash: ca.rootHash,
      timeMs: clock.wallMs(),
    })
    sweepBackups(dataDir)
    const parts = apiParts({
      store,
      inventory,
      live,
      ads,
      sessions,
      info,
      issueToken,
      backUp: () => backUp(store, dataDir),
      clock,
    })
    stops.push(() => parts.close())
    const api = await startApi({
      listen: [{ unixPath: path.join(dataDir, 'api.sock') }, { address: addressOf(options.api) }],
      token: apiToken(dataDir),
      hosts: options.advertise === undefined ? [] : [options.advertise.toLowerCase()],
      parts,
      clock,
      log: log.named('api'),
    })
    stops.push(() => api.stop())
    apiAddress = formatAddress(api.addresses[0] ?? addressOf(options.api))
    return { info: info(), stop }

    async function issueToken({
      ttlMs = defaultTokenTtlMs,
      ...claims
    }: {
      ttlMs?: number
      namespace?: string
      serviceAccount?: string
    }): Promise<{ issued: { token: string; expiresMs: number } } | { refused: string }> {
      if (options.advertise === undefined && isLoopback(xdsAddress)) {
        return {
          refused: `xDS listens on ${xdsAddress} only, which no other machine reaches; start the control plane with --advertise HOST`,
        }
      }
      const token = tokens.issue({ ...claims, ttlMs, address: xdsAddress, rootHash: ca.rootHash })
      return { issued: { token, expiresMs: clock.wallMs() + ttlMs } }
    }
  } catch (error) {
    await stop()
    throw error
  }
}

function openStore({ store, dataDir, clock, version }: ControlPlaneOptions): Store {
  return store === 'memory'
    ? memoryStore({ clock })
    : openSqliteStore({ file: path.join(dataDir, storeFile), clock, version })
}

/** A file that is wrong at the start is refused as a whole: nobody wants half of what they wrote. */
function openFiles(paths: readonly string[], { clock, log }: { clock: Clock; log: Log }): FileSource {
  const files = watchFiles({ paths: paths.map((one) => fs.realpathSync.native(existing(one))), clock, log })
  const problems = files.problems.value
  if (!hasErrors(problems)) return files
  files.close()
  throw new Error(problems.map(formatProblem).join('\n'))
}

function existing(file: string): string {
  if (fs.existsSync(file)) return file
  throw new Error(`${file}: there is no such file or directory`)
}

function serverNames(
  { xds, advertise }: ControlPlaneOptions,
  trustDomain: string,
): { spiffeId: string; dnsNames: readonly string[]; ips: readonly string[] } {
  const hosts = ['localhost', '127.0.0.1', '::1', addressOf(xds).host, ...(advertise === undefined ? [] : [advertise])]
  const unique = [...new Set(hosts)].filter((host) => host !== '0.0.0.0' && host !== '::')
  return {
    spiffeId: controlPlaneId(trustDomain),
    dnsNames: unique.filter((host) => net.isIP(host) === 0),
    ips: unique.filter((host) => net.isIP(host) !== 0),
  }
}

/** How workloads reach what is bound: by the advertised name; a wildcard address without one only from this machine. */
function reachable({ host, port }: Address, advertise: string | undefined): string {
  const wildcard = host === '0.0.0.0' || host === '::'
  return formatAddress({ host: advertise ?? (wildcard ? '127.0.0.1' : host), port })
}

const isLoopback = (address: string): boolean =>
  ['127.', '[::1]', 'localhost'].some((start) => address.startsWith(start))

function addressOf(text: string): Address {
  const address = parseAddress(text)
  if (address === undefined) throw new Error(`expected HOST:PORT, got ${JSON.stringify(text)}`)
  return address
}

function orThrow<T extends object>(opened: T | { readonly refused: string }): T {
  if ('refused' in opened) throw new Error(String(opened.refused))
  return opened
}
