import type { TestContext } from 'node:test'
import type { Address } from '../../src/base/address.ts'
import type { ProxyConfig } from '../../src/proxy/config.ts'
import {
  buildCluster,
  buildConfig,
  buildInbound,
  buildOutbound,
  buildTable,
} from '../../src/proxy/testing/build-config.ts'
import { createTestAuthority } from '../../src/proxy/testing/certificates.ts'
import { ownAddress, startProxy, type TestProxy } from '../../src/proxy/testing/world.ts'

const callerId = 'spiffe://weft.local/ns/default/sa/caller'
const webId = 'spiffe://weft.local/ns/default/sa/web'

/** Two proxies in this process: caller → outbound → mTLS with HTTP/2 → inbound → program; the latter takes plain text too. */
export interface Hop {
  readonly outbound: TestProxy
  readonly inbound: TestProxy
  readonly outboundAt: Address
  readonly inboundAt: Address
  /** Takes all clusters away: connections that are kept for later calls end. */
  retire(): void
}

/** Starts both before a program that listens already. */
export async function startHop(t: TestContext, program: Address): Promise<Hop> {
  const authority = await createTestAuthority()
  const trustPem = authority.bundlePem
  const [inboundAt, outboundAt] = [await ownAddress(t), await ownAddress(t)]
  const behind: ProxyConfig = buildConfig({
    listeners: [buildInbound(inboundAt, 'program')],
    clusters: [buildCluster('program', [program])],
    trustPem,
  })
  const before: ProxyConfig = buildConfig({
    listeners: [buildOutbound(outboundAt)],
    clusters: [buildCluster('default/web/80', [inboundAt], { peerIds: [webId], upstreamProtocol: 'h2' })],
    routes: [buildTable('default/web/80', 'default/web/80')],
    names: [{ namespace: 'default', name: 'web', port: 80 }],
    trustPem,
  })
  const inbound = await startProxy(t, behind, { identity: await authority.issue(webId) })
  const outbound = await startProxy(t, before, { identity: await authority.issue(callerId) })
  return {
    outbound,
    inbound,
    outboundAt,
    inboundAt,
    retire() {
      inbound.config.set({ ...behind, clusters: new Map() })
      outbound.config.set({ ...before, clusters: new Map() })
    },
  }
}
