import { create, fromBinary, toBinary, type DescMessage, type MessageInitShape } from '@bufbuild/protobuf'
import grpc from '@grpc/grpc-js'
import fs from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import type { TestContext } from 'node:test'
import { packAny } from '../../../xds/any.ts'
import {
  DeltaDiscoveryRequestSchema,
  DeltaDiscoveryResponseSchema,
  type DeltaDiscoveryRequest,
  type DeltaDiscoveryResponse,
} from '../../../xds/gen/envoy/service/discovery/v3/discovery_pb.ts'
import { typeUrls, xdsTypeOf, type XdsType } from '../../../xds/type-urls.ts'

type Call = grpc.ServerDuplexStream<DeltaDiscoveryRequest, DeltaDiscoveryResponse>

/** A resource as a test writes it down. */
export interface TestResource {
  readonly name: string
  readonly version?: string
  readonly any: { readonly typeUrl: string; readonly value: Uint8Array }
}

/** `schema`'s message in a resource of this name. */
export const resource = <S extends DescMessage>(
  name: string,
  schema: S,
  init: MessageInitShape<S>,
  version = '1',
): TestResource => ({
  name,
  version,
  any: packAny(schema, create(schema, init)),
})

/** A control plane that says only what a test tells it to. */
export interface TestAdsServer {
  readonly unix: string
  /** With credentials. */
  readonly port: number
  /** Connections' requests, oldest first, not yet looked at. */
  next(matches: (request: DeltaDiscoveryRequest) => boolean, what: string): Promise<DeltaDiscoveryRequest>
  /** The first subscription of a type that names `name`. */
  subscription(type: XdsType, name: string): Promise<DeltaDiscoveryRequest>
  /** The answer to the response with this nonce. */
  answer(nonce: string): Promise<DeltaDiscoveryRequest>
  /** On the newest stream; returns the nonce. */
  send(type: XdsType, resources: readonly TestResource[], removed?: readonly string[]): string
  sendRaw(response: MessageInitShape<typeof DeltaDiscoveryResponseSchema>): void
  /** Answers subscriptions by itself from now on: what it has, at once; what it lacks, as removed. */
  serve(resources: Partial<Record<XdsType, readonly TestResource[]>>): void
  /** Answers nothing by itself any more. */
  quiet(): void
  /** Ends the newest stream. */
  drop(): void
  readonly streams: number
}

/** On a Unix socket without TLS, or with credentials on a free port of loopback. */
export async function testAdsServer(t: TestContext, credentials?: grpc.ServerCredentials): Promise<TestAdsServer> {
  const folder = await fs.mkdtemp(path.join(os.tmpdir(), 'weft-ads-'))
  const unix = path.join(folder, 's')
  const requests: DeltaDiscoveryRequest[] = []
  const waiters: {
    matches: (request: DeltaDiscoveryRequest) => boolean
    resolve: (r: DeltaDiscoveryRequest) => void
  }[] = []
  let newest: Call | undefined
  let streams = 0
  let nonces = 0
  let serving: Partial<Record<XdsType, readonly TestResource[]>> | undefined

  const server = new grpc.Server()
  server.addService(
    {
      deltaAggregatedResources: {
        path: '/envoy.service.discovery.v3.AggregatedDiscoveryService/DeltaAggregatedResources',
        requestStream: true,
        responseStream: true,
        requestSerialize: (m: DeltaDiscoveryRequest) => Buffer.from(toBinary(DeltaDiscoveryRequestSchema, m)),
        requestDeserialize: (b: Buffer) => fromBinary(DeltaDiscoveryRequestSchema, b),
        responseSerialize: (m: DeltaDiscoveryResponse) => Buffer.from(toBinary(DeltaDiscoveryResponseSchema, m)),
        responseDeserialize: (b: Buffer) => fromBinary(DeltaDiscoveryResponseSchema, b),
      },
    },
    {
      deltaAggregatedResources(call: Call) {
        newest = call
        streams++
        call.on('error', () => {})
        call.on('end', () => call.end())
        call.on('data', (request: DeltaDiscoveryRequest) => {
          answerSubscription(request)
          const index = waiters.findIndex(({ matches }) => matches(request))
          if (index < 0) requests.push(request)
          else waiters.splice(index, 1)[0]?.resolve(request)
        })
      },
    },
  )
  const port = await new Promise<number>((resolve, reject) =>
    server.bindAsync(
      credentials === undefined ? `unix:${unix}` : '127.0.0.1:0',
      credentials ?? grpc.ServerCredentials.createInsecure(),
      (error, bound) => (error ? reject(error) : resolve(bound)),
    ),
  )
  t.after(async () => {
    server.forceShutdown()
    await fs.rm(folder, { recursive: true, force: true })
  })

  const answerSubscription = ({ typeUrl, resourceNamesSubscribe }: DeltaDiscoveryRequest): void => {
    const type = xdsTypeOf(typeUrl)
    if (serving === undefined || type === undefined || resourceNamesSubscribe.length === 0) return
    const all = serving[type] ?? []
    if (resourceNamesSubscribe.includes('*')) return void api.send(type, all)
    const has = all.filter(({ name }) => resourceNamesSubscribe.includes(name))
    api.send(
      type,
      has,
      resourceNamesSubscribe.filter((name) => !has.some((one) => one.name === name)),
    )
  }

  const api: TestAdsServer = {
    unix,
    port,
    next(matches, what) {
      const index = requests.findIndex(matches)
      if (index >= 0) return Promise.resolve(requests.splice(index, 1)[0] as DeltaDiscoveryRequest)
      return new Promise((resolve, reject) => {
        const timer = setTimeout(() => reject(new Error(`no request came: ${what}`)), 5_000)
        waiters.push({
          matches,
          resolve: (request) => {
            clearTimeout(timer)
            resolve(request)
          },
        })
      })
    },
    subscription: (type, name) =>
      api.next(
        (request) => request.typeUrl === typeUrls[type] && request.resourceNamesSubscribe.includes(name),
        `${type} ${name}`,
      ),
    answer: (nonce) => api.next((request) => request.responseNonce === nonce, `answer to ${nonce}`),
    send(type, resources, removed = []) {
      const nonce = `n${++nonces}`
      api.sendRaw({
        typeUrl: typeUrls[type],
        nonce,
        resources: resources.map(({ name, version = '1', any }) => ({ name, version, resource: any })),
        removedResources: [...removed],
      })
      return nonce
    },
    sendRaw: (response) => void newest?.write(create(DeltaDiscoveryResponseSchema, response)),
    serve: (resources) => (serving = resources),
    quiet: () => (serving = undefined),
    drop: () => newest?.emit('error', { code: 14, details: 'dropped by the test' }),
    get streams() {
      return streams
    },
  }
  return api
}
