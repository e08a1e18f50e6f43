import net from 'node:net'
import { systemClock } from '../../src/base/clock.ts'
import { textLog } from '../../src/base/log.ts'
import { systemRandom } from '../../src/base/random.ts'
import { settable } from '../../src/base/watchable.ts'
import { createProxy } from '../../src/proxy/proxy.ts'
import { createMetrics } from '../../src/proxy/telemetry/metrics.ts'
import {
  buildCluster,
  buildConfig,
  buildInbound,
  buildOutbound,
  buildPassthrough,
  buildTable,
} from '../../src/proxy/testing/build-config.ts'
import type { IdentityMaterial } from '../../src/proxy/sidecar-messages.ts'

/**
 * One sidecar without a control plane, for measuring: `inbound PORT UPSTREAM-PORT [IDENTITY-FILE]` or `outbound …`. With an identity
 * (JSON of IdentityMaterial) the hop between the two is mTLS. Outbound, the host "web" on port 80 is the service.
 */
const [, , direction = 'inbound', port = '8201', upstreamPort = '9001', identityFile] = process.argv
const host = '127.0.0.1'
const nobody: IdentityMaterial = { spiffeId: '', keyPem: '', chainPem: '', trustBundlePem: '', notAfterMs: Infinity }
const identity: IdentityMaterial =
  identityFile === undefined
    ? nobody
    : ((await import(identityFile, { with: { type: 'json' } })) as { default: IdentityMaterial }).default

const address = { host, port: Number(port) }
const upstream = { host, port: Number(upstreamPort) }
const trust = identityFile === undefined ? {} : { trustPem: identity.trustBundlePem }
const peers = identityFile === undefined ? {} : { peerIds: [identity.spiffeId] }
const config =
  direction === 'inbound'
    ? buildConfig({
        listeners: [buildInbound(address, 'program', { mesh: identityFile !== undefined })],
        clusters: [buildCluster('program', [upstream])],
        ...trust,
      })
    : buildConfig({
        listeners: [buildOutbound(address)],
        clusters: [buildCluster('default/web/80', [upstream], peers), buildPassthrough()],
        routes: [buildTable('default/web/80', 'default/web/80')],
        names: [{ namespace: 'default', name: 'web', port: 80 }],
        ...trust,
      })

const listen = (at: { host: string; port: number }): Promise<net.Server> =>
  new Promise((resolve, reject) => {
    const server = net.createServer().once('error', reject)
    server.listen({ ...at, backlog: 4096 }, () => resolve(server))
  })
const log = textLog({
  part: 'sidecar',
  level: 'info',
  write: (line) => void process.stderr.write(line),
  wallMs: () => systemClock.wallMs(),
})
const proxy = createProxy({
  config: settable(config),
  demand: () => Promise.resolve(false),
  identity: settable(identity),
  listen,
  self: { workload: 'default/bench', namespace: 'default', service: 'bench', spiffeId: identity.spiffeId },
  metrics: createMetrics({ clock: systemClock }),
  accessLog() {},
  clock: systemClock,
  random: systemRandom,
  log,
})
await proxy.ready
process.stdout.write(`ready ${direction} ${port}\n`)
process.on('SIGTERM', () => {
  proxy.close()
  process.exitCode = 0
})
