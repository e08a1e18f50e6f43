import { create } from '@bufbuild/protobuf'
import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import path from 'node:path'
import { test } from 'node:test'
import { inspect } from 'node:util'
import { systemClock } from '../../src/base/clock.ts'
import { silentLog } from '../../src/base/log.ts'
import { systemRandom } from '../../src/base/random.ts'
import { createKeyAndCsr } from '../../src/ca/csr.ts'
import { createAdsClient } from '../../src/xds/ads-client.ts'
import { AgentService, JoinRequestSchema } from '../../src/xds/gen/weft/agent/v1/agent_pb.ts'
import { connectGrpc, grpcMethod } from '../../src/xds/grpc-client.ts'
import { controlPlaneId } from '../../src/xds/names.ts'
import { parseAddress } from '../../src/base/address.ts'
import { requires } from '../world/requires.ts'
import { until } from '../world/until.ts'
import { createWorld } from '../world/world.ts'

test('a proxy that refuses its configuration is shown by weft proxies, with its own reason', async (t) => {
  if (!requires(t, 'curl')) return
  const world = createWorld(t)
  await world.up()
  await world.run('web')
  const parts = { clock: systemClock, log: silentLog }
  const local = connectGrpc({ unix: path.join(world.dataDir, 'agent.sock') }, parts)
  t.after(() => local.close())
  const { keyPem, csrDer } = await createKeyAndCsr()
  const wish = {
    namespace: 'default',
    service: 'stubborn',
    serviceAccount: 'stubborn',
    instance: randomUUID(),
    csr: csrDer,
  }
  const joined = await local.unary(
    grpcMethod(AgentService.method.join),
    create(JoinRequestSchema, { ...wish, outboundHost: '127.0.0.1', outboundPort: 1, version: 'test' }),
  )
  assert.ok('ok' in joined, inspect(joined))
  const { workload, nodeId, xdsAddress, trustDomain, certificate } = joined.ok
  const address = parseAddress(xdsAddress)
  assert.ok(address !== undefined && certificate !== undefined)
  const { chainPem, trustBundlePem } = certificate

  const reason = 'clusters[0].lb_policy: this proxy is stubborn'
  const ads = createAdsClient({
    connect: () =>
      connectGrpc(
        {
          address,
          tls: {
            trust: { caPem: trustBundlePem, serverId: controlPlaneId(trustDomain) },
            identity: { keyPem, chainPem },
          },
        },
        parts,
      ),
    node: { id: nodeId, cluster: 'stubborn', version: 'test' },
    versions: () => ({}),
    receive: (type) => ({ problems: type === 'CDS' ? [reason] : [] }),
    random: systemRandom,
    ...parts,
  })
  t.after(() => ads.close())
  ads.subscribe('CDS', new Set(['*']))
  ads.subscribe('LDS', new Set(['*']))
  const table = await until('the refusal is shown', async () => {
    const { out } = await world.weft(['proxies'])
    return out.includes('REJECTED') && out
  })
  assert.ok(table.includes(workload), table)
  assert.ok(table.includes(reason), table)
  const json = await world.weft(['proxies', '-o', 'json'])
  assert.ok(json.out.includes('this proxy is stubborn'), json.out)
})
