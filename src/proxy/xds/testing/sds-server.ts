import { create, fromBinary, toBinary } from '@bufbuild/protobuf'
import grpc from '@grpc/grpc-js'
import fs from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import type { TestContext } from 'node:test'
import { packAny } from '../../../xds/any.ts'
import { SecretSchema } from '../../../xds/gen/envoy/extensions/transport_sockets/tls/v3/secret_pb.ts'
import {
  DiscoveryRequestSchema,
  DiscoveryResponseSchema,
  type DiscoveryRequest,
  type DiscoveryResponse,
} from '../../../xds/gen/envoy/service/discovery/v3/discovery_pb.ts'
import { typeUrls } from '../../../xds/type-urls.ts'
import type { KeyPair } from '../../config.ts'

type Call = grpc.ServerDuplexStream<DiscoveryRequest, DiscoveryResponse>

/** What the server knows: certificates, or bundles (PEM). */
export type TestSecrets = Readonly<Record<string, Pick<KeyPair, 'chainPem' | 'keyPem'> | string>>

/** A server of secrets on a Unix socket, as SPIRE's agent is one: state of the world, each stream with names of its own. */
export interface TestSdsServer {
  readonly unix: string
  /** All that was asked, oldest first. */
  readonly requests: readonly DiscoveryRequest[]
  /** Other secrets from now on, pushed to whoever asked for them. */
  set(secrets: TestSecrets): void
  /** Ends all streams. */
  drop(): void
}

/** Ends with the test. */
export async function testSdsServer(t: TestContext, first: TestSecrets): Promise<TestSdsServer> {
  const folder = await fs.mkdtemp(path.join(os.tmpdir(), 'weft-sds-'))
  const unix = path.join(folder, 's')
  const requests: DiscoveryRequest[] = []
  const streams = new Map<Call, readonly string[]>()
  let secrets = first
  let version = 1
  const send = (call: Call, names: readonly string[]): void => {
    const resources = names.flatMap((name) => {
      const secret = secrets[name]
      return secret === undefined ? [] : [packAny(SecretSchema, secretMessage(name, secret))]
    })
    const response = { versionInfo: String(version), nonce: `n${version}`, typeUrl: typeUrls.SDS, resources }
    if (resources.length > 0) call.write(create(DiscoveryResponseSchema, response))
  }
  const server = new grpc.Server()
  server.addService(
    {
      streamSecrets: {
        path: '/envoy.service.secret.v3.SecretDiscoveryService/StreamSecrets',
        requestStream: true,
        responseStream: true,
        requestSerialize: (m: DiscoveryRequest) => Buffer.from(toBinary(DiscoveryRequestSchema, m)),
        requestDeserialize: (b: Buffer) => fromBinary(DiscoveryRequestSchema, b),
        responseSerialize: (m: DiscoveryResponse) => Buffer.from(toBinary(DiscoveryResponseSchema, m)),
        responseDeserialize: (b: Buffer) => fromBinary(DiscoveryResponseSchema, b),
      },
    },
    {
      streamSecrets(call: Call) {
        call.on('error', () => {})
        call.on('close', () => streams.delete(call))
        call.on('end', () => call.end())
        call.on('data', (request: DiscoveryRequest) => {
          requests.push(request)
          streams.set(call, request.resourceNames)
          if (request.responseNonce === '') send(call, request.resourceNames)
        })
      },
    },
  )
  await new Promise<void>((resolve, reject) =>
    server.bindAsync(`unix:${unix}`, grpc.ServerCredentials.createInsecure(), (error) =>
      error ? reject(error) : resolve(),
    ),
  )
  t.after(async () => {
    server.forceShutdown()
    await fs.rm(folder, { recursive: true, force: true })
  })
  return {
    unix,
    requests,
    set(next) {
      secrets = next
      version++
      for (const [call, names] of streams) send(call, names)
    },
    drop() {
      for (const call of streams.keys()) call.emit('error', { code: 14, details: 'dropped by the test' })
    },
  }
}

function secretMessage(name: string, secret: TestSecrets[string]) {
  const inline = (text: string) => ({ specifier: { case: 'inlineBytes' as const, value: Buffer.from(text) } })
  return typeof secret === 'string'
    ? create(SecretSchema, { name, type: { case: 'validationContext', value: { trustedCa: inline(secret) } } })
    : create(SecretSchema, {
        name,
        type: {
          case: 'tlsCertificate',
          value: { certificateChain: inline(secret.chainPem), privateKey: inline(secret.keyPem) },
        },
      })
}
