import { create, fromBinary, toBinary } from '@bufbuild/protobuf'
import { EventEmitter, once } from 'node:events'
import { Client, credentials, type ChannelCredentials, type ClientDuplexStream, type StatusObject } from '@grpc/grpc-js'
import {
  DeltaDiscoveryRequestSchema,
  DeltaDiscoveryResponseSchema,
  type DeltaDiscoveryRequest,
  type DeltaDiscoveryResponse,
} from '../../../xds/gen/envoy/service/discovery/v3/discovery_pb.ts'
import { weftNodeMetadata } from '../../../xds/names.ts'
import { typeUrls, xdsTypeOf, type XdsType } from '../../../xds/type-urls.ts'

/** What one response said, briefly. */
export interface Said {
  readonly type: XdsType
  readonly names: readonly string[]
  readonly removed: readonly string[]
  readonly nonce: string
  readonly response: DeltaDiscoveryResponse
}

/** For tests: a delta ADS client that does nothing by itself, or acknowledges everything (`acks`). */
export interface DeltaClient {
  readonly heard: readonly Said[]
  /** The next response that has not been taken yet; waits for it. */
  next(): Promise<Said>
  send(type: XdsType, parts?: Partial<DeltaDiscoveryRequest>): void
  ack(said: Said): void
  nack(said: Said, message: string): void
  /** Waits until the server has seen everything sent so far: it answers a probe of a name that does not exist. */
  settled(): Promise<void>
  /** How the stream ended. */
  readonly status: Promise<StatusObject>
  close(): void
}

/** Connects when the first request is sent. `weft`: says that it is one of our proxies. */
export function deltaClient(
  target: string,
  {
    id,
    acks = true,
    weft = true,
    channel = credentials.createInsecure(),
  }: { id: string; acks?: boolean; weft?: boolean; channel?: ChannelCredentials },
): DeltaClient {
  const client = new Client(target, channel, { 'grpc.enable_channelz': 0 })
  const call: ClientDuplexStream<DeltaDiscoveryRequest, DeltaDiscoveryResponse> = client.makeBidiStreamRequest(
    '/envoy.service.discovery.v3.AggregatedDiscoveryService/DeltaAggregatedResources',
    (request: DeltaDiscoveryRequest) => Buffer.from(toBinary(DeltaDiscoveryRequestSchema, request)),
    (bytes: Buffer) => fromBinary(DeltaDiscoveryResponseSchema, bytes),
  )
  const heard: Said[] = []
  const arrivals = new EventEmitter()
  let taken = 0
  let probes = 0
  let first = true
  const status = new Promise<StatusObject>((resolve) => {
    call.on('status', (ended) => {
      resolve(ended)
      arrivals.emit('any')
    })
  })
  call.on('error', () => {})
  const send = (type: XdsType, parts: Partial<DeltaDiscoveryRequest> = {}): void => {
    const node = first ? { node: { id, metadata: weft ? { [weftNodeMetadata]: 'test' } : {} } } : {}
    first = false
    call.write(create(DeltaDiscoveryRequestSchema, { typeUrl: typeUrls[type], ...node, ...parts } as never))
  }
  const ack = ({ type, nonce }: Said): void => send(type, { responseNonce: nonce })
  call.on('data', (response: DeltaDiscoveryResponse) => {
    const type = xdsTypeOf(response.typeUrl)
    if (type === undefined) return
    const said: Said = {
      type,
      names: response.resources.map(({ name }) => name),
      removed: response.removedResources,
      nonce: response.nonce,
      response,
    }
    const probe = said.removed.some((name) => name.startsWith('probe/'))
    if (!probe) heard.push(said)
    if (acks || probe) ack(said)
    arrivals.emit('any')
    if (probe) arrivals.emit('probe')
  })
  return {
    heard,
    async next() {
      while (heard.length <= taken) await once(arrivals, 'any')
      const said = heard[taken++]
      if (said === undefined) throw new Error('unreachable')
      return said
    },
    send,
    ack,
    nack: ({ type, nonce }, message) =>
      send(type, { responseNonce: nonce, errorDetail: { code: 3, message } as never }),
    async settled() {
      const answered = once(arrivals, 'probe')
      send('SDS', { resourceNamesSubscribe: [`probe/${++probes}`] })
      await answered
    },
    status,
    close() {
      call.cancel()
      client.close()
    },
  }
}
