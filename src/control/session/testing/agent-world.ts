import assert from 'node:assert/strict'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import type { TestContext } from 'node:test'
import type { Address } from '../../../base/address.ts'
import { systemClock } from '../../../base/clock.ts'
import { silentLog } from '../../../base/log.ts'
import { systemRandom } from '../../../base/random.ts'
import { openCertificateAuthority, type CertificateAuthority } from '../../../ca/authority.ts'
import { keepServerCertificate } from '../../../ca/server-certificate.ts'
import { createJoinTokens, type JoinTokens } from '../../../ca/join-token.ts'
import { AgentService } from '../../../xds/gen/weft/agent/v1/agent_pb.ts'
import { controlPlaneId } from '../../../xds/names.ts'
import type { Store } from '../../collect/store.ts'
import { startGrpcEndpoint } from '../../serve/grpc-endpoint.ts'
import { hostedService } from '../../serve/service.ts'
import { createAgentService, type AgentSessions } from '../agent-service.ts'
import type { WorkloadState } from '../parts.ts'
import { plainStore } from './plain-store.ts'

/** What a test may choose. */
export interface AgentWorldOptions {
  /** Of an earlier world, to start again on what it left. */
  readonly dir?: string
  readonly store?: Store
  readonly port?: number
  readonly leafTtlMs?: number
  readonly leaseMs?: number
  readonly graceMs?: number
  readonly restartTermMs?: number
  /** Answers every drain at once with these laggards. */
  readonly laggards?: readonly string[]
}

/** Things that happen, awaited one by one. */
export interface EventQueue<T> {
  push(item: T): void
  next(): Promise<T>
}

export interface AgentWorld {
  readonly ca: CertificateAuthority
  readonly tokens: JoinTokens
  readonly store: Store
  readonly sessions: AgentSessions
  readonly health: ReadonlyMap<string, WorkloadState>
  /** "NS/NAME state" or "NS/NAME gone", in order. */
  readonly changes: EventQueue<string>
  readonly drains: readonly { readonly workload: string; acked(laggards: string[]): void }[]
  readonly dir: string
  readonly address: Address
  readonly local: { readonly unix: string }
  close(): Promise<void>
}

/** A control plane of nothing but sessions: everything is the real thing, on a Unix socket and a TLS port. */
export async function agentWorld(t: TestContext, over: AgentWorldOptions = {}): Promise<AgentWorld> {
  const dir = over.dir ?? fs.mkdtempSync(path.join(os.tmpdir(), 'weft-agents-'))
  t.after(() => fs.rmSync(dir, { recursive: true, force: true }))
  const clock = systemClock
  const ca = await openCertificateAuthority({
    dir,
    trustDomain: 'weft.local',
    clock,
    leafTtlMs: over.leafTtlMs ?? 3_600_000,
    log: silentLog,
  })
  const tokens = createJoinTokens({ dir, clock })
  assert.ok(!('refused' in ca) && !('refused' in tokens))
  const store = over.store ?? plainStore()
  const health = new Map<string, WorkloadState>()
  const changes = eventQueue<string>()
  const drains: { workload: string; acked: (laggards: string[]) => void }[] = []
  const sessions = await createAgentService({
    ...over,
    store,
    health: {
      set(workload, state) {
        if (health.get(workload) === state) return
        health.set(workload, state)
        changes.push(`${workload} ${state}`)
      },
      forget(workload) {
        health.delete(workload)
        changes.push(`${workload} gone`)
      },
    },
    ca,
    tokens,
    usedBy: (service) => [`${service}/80`],
    removalAcked: (workload) =>
      new Promise((acked) => {
        drains.push({ workload, acked })
        if (over.laggards !== undefined) acked([...over.laggards])
      }),
    xdsAddress: () => '127.0.0.1:15012',
    clock,
    log: silentLog,
  })
  const names = { spiffeId: controlPlaneId('weft.local'), dnsNames: [], ips: ['127.0.0.1'] }
  const unixPath = path.join(dir, 'agent.sock')
  const serverCertificate = await keepServerCertificate(names, { ca, clock, random: systemRandom, log: silentLog })
  const endpoint = await startGrpcEndpoint({
    address: { host: '127.0.0.1', port: over.port ?? 0 },
    unixPath,
    serverCertificate: serverCertificate.current,
    clientTrustPem: ca.trustBundlePem,
    services: [hostedService(AgentService, sessions.handlers)],
    log: silentLog,
  })
  const close = async (): Promise<void> => {
    sessions.close()
    serverCertificate.close()
    await endpoint.close()
  }
  t.after(close)
  const address = endpoint.address
  assert.ok(address)
  return {
    ca,
    tokens,
    store,
    sessions,
    health,
    changes,
    drains,
    close,
    dir,
    address,
    local: { unix: unixPath },
  }
}

/** An empty one. */
export function eventQueue<T>(): EventQueue<T> {
  const items: T[] = []
  let wake = (): void => {}
  return {
    push(item: T) {
      items.push(item)
      wake()
    },
    async next(): Promise<T> {
      while (items.length === 0) await new Promise<void>((resolve) => (wake = resolve))
      return items.shift() as T
    },
  }
}
