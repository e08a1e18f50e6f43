import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import type { TestContext } from 'node:test'
import { systemClock, type Clock } from '../../../base/clock.ts'
import { silentLog } from '../../../base/log.ts'
import { settable, type Settable } from '../../../base/watchable.ts'
import type { Model } from '../../model/model.ts'
import { completeModel, type LooseModel } from '../../render/testing/model-yaml.ts'
import { createAds, type Ads } from '../ads.ts'
import { startGrpcEndpoint } from '../grpc-endpoint.ts'
import { deltaClient, type DeltaClient } from './delta-client.ts'

/** The workload that clients are unless they say otherwise. */
export const me = 'default/client-1'

/** A real ADS on a Unix socket, and clients of it. */
export interface AdsWorld {
  readonly ads: Ads
  readonly unixPath: string
  readonly model: Settable<Model>
  readonly connect: (options?: Partial<Parameters<typeof deltaClient>[1]>) => DeltaClient
}

/** For tests: a real endpoint on a Unix socket (its callers are local: any identity) with a real ADS behind it. */
export async function adsWorld(t: TestContext, loose: LooseModel, clock: Clock = systemClock): Promise<AdsWorld> {
  const model = settable(completeModel(loose))
  const ads = createAds({ model, trustBundlePem: settable('bundle'), clock, log: silentLog })
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'weft-ads-'))
  const unixPath = path.join(folder, 'x.sock')
  const endpoint = await startGrpcEndpoint({
    unixPath,
    serverCertificate: settable({ keyPem: '', chainPem: '' }),
    clientTrustPem: settable(''),
    services: [ads.service],
    log: silentLog,
  })
  const clients: DeltaClient[] = []
  t.after(async () => {
    for (const client of clients) client.close()
    ads.close()
    await endpoint.close()
    fs.rmSync(folder, { recursive: true })
  })
  return {
    ads,
    unixPath,
    model,
    connect(options) {
      const client = deltaClient(`unix:${unixPath}`, { id: me, ...options })
      clients.push(client)
      return client
    },
  }
}

/** One HTTP port 80 with these workloads. */
export const service = (
  name: string,
  ...workloads: readonly string[]
): NonNullable<LooseModel['services']>[number] => ({
  name,
  ports: [
    {
      rules: [{ action: { kind: 'forward', backends: [{ service: `default/${name}` }] } }],
      endpoints: workloads.map((workload, index) => ({ workload, address: { host: '127.0.0.1', port: 1000 + index } })),
    },
  ],
})
/** The workload `me`. */
export const client: NonNullable<LooseModel['workloads']>[number] = {
  name: 'client-1',
  inbound: [{}],
  outbound: { host: '127.0.0.1', port: 15_001 },
}
/** These services, and the workload `me`. */
export const mesh = (...services: NonNullable<LooseModel['services']>): LooseModel => ({
  services,
  workloads: [client],
})
