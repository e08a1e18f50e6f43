import assert from 'node:assert/strict'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { test, type TestContext } from 'node:test'
import { isDeepStrictEqual } from 'node:util'
import { create } from '@bufbuild/protobuf'
import grpc from '@grpc/grpc-js'
import { systemClock } from '../../base/clock.ts'
import { silentLog } from '../../base/log.ts'
import { settable } from '../../base/watchable.ts'
import {
  RateLimitQuotaService,
  RateLimitQuotaUsageReportsSchema,
  type RateLimitQuotaResponse,
} from '../../xds/gen/envoy/service/rate_limit_quota/v3/rlqs_pb.ts'
import { completeModel } from '../render/testing/model-yaml.ts'
import { startGrpcEndpoint } from './grpc-endpoint.ts'
import { createQuotaServer } from './quota-service.ts'
import { hostedService } from './service.ts'

const limit = {
  name: 'default/web/limit-0',
  requests: 90,
  unitMs: 1000,
  burst: 90,
  instances: 3,
  origin: { resource: 'TrafficPolicy default/web', field: 'spec.rateLimits[0]', revision: '1' },
}
const perUser = { ...limit, name: 'default/web/limit-1', per: { header: 'x-user' } }
const holding = (name: string) => ({ name, service: 'web', inbound: [{ rateLimits: [limit, perUser] }] })

async function world(t: TestContext) {
  const model = settable(
    completeModel({
      workloads: [holding('web-1'), holding('web-2'), holding('web-3'), { name: 'other-1', inbound: [{}] }],
    }),
  )
  const quota = createQuotaServer({ model, clock: systemClock, log: silentLog })
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'weft-quota-'))
  const unixPath = path.join(folder, 'x.sock')
  const endpoint = await startGrpcEndpoint({
    unixPath,
    serverCertificate: settable({ keyPem: '', chainPem: '' }),
    clientTrustPem: settable(''),
    services: [quota.service],
    log: silentLog,
  })
  const { definition } = hostedService(RateLimitQuotaService, { streamRateLimitQuotas() {} })
  const Client = grpc.makeGenericClientConstructor(definition, 'quota')
  const clients: grpc.Client[] = []
  t.after(async () => {
    for (const client of clients) client.close()
    quota.close()
    await endpoint.close()
    fs.rmSync(folder, { recursive: true })
  })
  /** A stranger of grpc-js that speaks Envoy's protocol. */
  return (domain: string) => {
    const client = new Client(`unix:${unixPath}`, grpc.credentials.createInsecure())
    clients.push(client)
    const open = client['streamRateLimitQuotas'] as () => grpc.ClientDuplexStream<unknown, RateLimitQuotaResponse>
    const call = open.call(client)
    const heard: RateLimitQuotaResponse[] = []
    const waiting: (() => void)[] = []
    let refused: string | undefined
    const wake = (): void => waiting.splice(0).forEach((one) => one())
    call.on('data', (response: RateLimitQuotaResponse) => {
      heard.push(response)
      wake()
    })
    call.on('error', (error: grpc.ServiceError) => {
      refused = error.details
      wake()
    })
    return {
      report(name: string, requests: number, seconds = 1n) {
        const usage = {
          bucketId: { bucket: { limit: name } },
          timeElapsed: { seconds, nanos: 0 },
          numRequestsAllowed: BigInt(requests),
        }
        call.write(create(RateLimitQuotaUsageReportsSchema, { domain, bucketQuotaUsages: [usage] }))
      },
      /** What came by keys in a second, and that there are no others. */
      reportKeys(name: string, keys: Readonly<Record<string, number>>) {
        const usages = Object.entries({ ...keys, '': 0 }).map(([key, requests]) => ({
          bucketId: { bucket: { limit: name, key } },
          timeElapsed: { seconds: 1n, nanos: 0 },
          numRequestsAllowed: BigInt(requests),
        }))
        call.write(create(RateLimitQuotaUsageReportsSchema, { domain, bucketQuotaUsages: usages }))
      },
      /** Once the newest shares of all keys are these, in whole requests a second. */
      async shares(wanted: Readonly<Record<string, number>>): Promise<void> {
        for (;;) {
          const found = (heard.at(-1)?.bucketAction ?? []).map(({ bucketId, bucketAction: { case: kind, value } }) => {
            const strategy = kind === 'quotaAssignmentAction' ? value.rateLimitStrategy?.strategy : undefined
            const rate = strategy?.case === 'tokenBucket' ? strategy.value.tokensPerFill : undefined
            return [bucketId?.bucket['key'], rate] as const
          })
          if (isDeepStrictEqual(Object.fromEntries(found), wanted)) return
          assert.equal(refused, undefined)
          await new Promise<void>((resolve) => waiting.push(resolve))
        }
      },
      /** Requests a second of the newest share that fulfils this. */
      async share(good: (perSecond: number) => boolean = () => true): Promise<number> {
        for (;;) {
          const action = heard.at(-1)?.bucketAction[0]?.bucketAction
          if (action?.case === 'quotaAssignmentAction') {
            assert.equal(action.value.assignmentTimeToLive?.seconds, 10n)
            const strategy = action.value.rateLimitStrategy?.strategy
            assert.ok(strategy?.case === 'tokenBucket')
            const { tokensPerFill = 0, fillInterval: { seconds, nanos } = { seconds: 0n, nanos: 0 } } = strategy.value
            const perSecond = tokensPerFill / (Number(seconds) + nanos / 1e9)
            if (good(perSecond)) return perSecond
          }
          assert.equal(refused, undefined)
          await new Promise<void>((resolve) => waiting.push(resolve))
        }
      },
      async refusal(): Promise<string> {
        while (refused === undefined) await new Promise<void>((resolve) => waiting.push(resolve))
        return refused
      },
      leave: () => call.cancel(),
      get heard() {
        return heard.length
      },
    }
  }
}

test('whoever reports is dealt a share at once, by demand once a second; others by who has gone', async (t) => {
  const connect = await world(t)
  const [one, two] = [connect('default/web-1'), connect('default/web-2')]
  one.report(limit.name, 0)
  assert.ok(Math.abs((await one.share()) - 30) < 0.01, 'two others take a third each by themselves')
  two.report(limit.name, 0)
  assert.ok(Math.abs((await two.share()) - 30) < 0.01)
  one.report(limit.name, 500)
  two.report(limit.name, 1)
  assert.ok((await one.share((share) => share > 50)) < 60)
  assert.ok((await two.share((share) => share < 5)) > 2.9)
})

test('nobody takes part in a limit that its own configuration does not hold, or in the name of somebody unknown', async (t) => {
  const connect = await world(t)
  const other = connect('default/other-1')
  other.report(limit.name, 100)
  const one = connect('default/web-1')
  one.report(limit.name, 0)
  assert.ok(Math.abs((await one.share()) - 30) < 0.01)
  assert.equal(other.heard, 0)
  const nobody = connect('')
  nobody.report(limit.name, 1)
  assert.match(await nobody.refusal(), /must carry node\.id/)
})

test('each key has a budget of its own, which goes to those who are asked by it', async (t) => {
  const connect = await world(t)
  const [one, two, three] = ['1', '2', '3'].map((n) => connect(`default/web-${n}`))
  assert.ok(one && two && three)
  one.reportKeys(perUser.name, { ann: 500, bob: 5 })
  await one.shares({ ann: 30, bob: 30 })
  two.reportKeys(perUser.name, { bob: 5 })
  three.reportKeys(perUser.name, {})
  await one.shares({ ann: 90, bob: 45 })
  await two.shares({ bob: 45 })
  assert.equal(three.heard, 0, 'nothing is dealt to who is asked by nobody')
  two.reportKeys(perUser.name, { ann: 500, bob: 5 })
  await one.shares({ ann: 45, bob: 45 })
  two.leave()
  // Its share is set aside, then an equal one, since it may be anywhere; one that nobody is asked by goes on.
  one.reportKeys(perUser.name, { ann: 500, bob: 5, eve: 1 })
  await one.shares({ ann: 45, bob: 45, eve: 60 })
})
