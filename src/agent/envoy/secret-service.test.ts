import assert from 'node:assert/strict'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { test, type TestContext } from 'node:test'
import { create, fromBinary } from '@bufbuild/protobuf'
import { systemClock } from '../../base/clock.ts'
import { silentLog } from '../../base/log.ts'
import { settable, type Settable } from '../../base/watchable.ts'
import type { IdentityMaterial } from '../../proxy/sidecar-messages.ts'
import { SecretSchema, type Secret } from '../../xds/gen/envoy/extensions/transport_sockets/tls/v3/secret_pb.ts'
import {
  DeltaDiscoveryRequestSchema,
  DiscoveryRequestSchema,
  type DeltaDiscoveryResponse,
  type DiscoveryResponse,
} from '../../xds/gen/envoy/service/discovery/v3/discovery_pb.ts'
import { SecretDiscoveryService } from '../../xds/gen/envoy/service/secret/v3/sds_pb.ts'
import { connectGrpc, grpcMethod } from '../../xds/grpc-client.ts'
import { grpcCodes, type GrpcMethod, type GrpcStatus } from '../../xds/grpc.ts'
import { ownCertificateSecret, trustBundleSecret } from '../../xds/names.ts'
import { serveSecrets } from './secret-service.ts'

test('whole state: both secrets, an ACK is not answered, a renewal is pushed, a NACK is told', async (t) => {
  const { identity, refusals, open } = await service(t)
  const stream = open(grpcMethod(SecretDiscoveryService.method.streamSecrets))
  const ask = (names: readonly string[], nonce: string, error = ''): void =>
    stream.send(
      create(DiscoveryRequestSchema, {
        resourceNames: [...names],
        responseNonce: nonce,
        ...(error === '' ? {} : { errorDetail: { message: error } }),
      }),
    )
  ask([ownCertificateSecret], '')
  const first = await stream.next()
  assert.deepEqual(first.resources.map(read), ['weft-own-certificate: chain 1, key 1'])
  ask([ownCertificateSecret], first.nonce)
  identity.set(material('2'))
  const second = await stream.next()
  assert.deepEqual(second.resources.map(read), ['weft-own-certificate: chain 2, key 2'])
  assert.notEqual(second.versionInfo, first.versionInfo)
  ask([ownCertificateSecret], second.nonce, 'no certificate at all')
  ask([ownCertificateSecret, trustBundleSecret, 'another'], second.nonce)
  const third = await stream.next()
  assert.deepEqual(third.resources.map(read), ['weft-own-certificate: chain 2, key 2', 'weft-trust-bundle: roots 2'])
  assert.deepEqual(refusals, ['weft-own-certificate: no certificate at all'])
})

test('changes: names come and go, one that nobody has is said to be absent', async (t) => {
  const { identity, open } = await service(t)
  const stream = open(grpcMethod(SecretDiscoveryService.method.deltaSecrets))
  const ask = (init: { subscribe?: string[]; unsubscribe?: string[]; nonce?: string }): void =>
    stream.send(
      create(DeltaDiscoveryRequestSchema, {
        resourceNamesSubscribe: init.subscribe ?? [],
        resourceNamesUnsubscribe: init.unsubscribe ?? [],
        responseNonce: init.nonce ?? '',
      }),
    )
  ask({ subscribe: [ownCertificateSecret, 'another'] })
  const first = await stream.next()
  assert.deepEqual(
    first.resources.map(({ name }) => name),
    [ownCertificateSecret],
  )
  assert.deepEqual(first.removedResources, ['another'])
  ask({ nonce: first.nonce, unsubscribe: [ownCertificateSecret, 'another'] })
  ask({ subscribe: [trustBundleSecret] })
  assert.deepEqual(
    (await stream.next()).resources.map(({ name }) => name),
    [trustBundleSecret],
  )
  identity.set(material('2'))
  const pushed = await stream.next()
  assert.deepEqual(
    pushed.resources.map(({ resource }) => read(resource)),
    ['weft-trust-bundle: roots 2'],
  )
})

test('another method is UNIMPLEMENTED, junk is INVALID_ARGUMENT, and closing ends every stream', async (t) => {
  const { open, served } = await service(t)
  const other = open(grpcMethod(SecretDiscoveryService.method.fetchSecrets))
  other.send(create(DiscoveryRequestSchema))
  assert.equal((await other.ended).code, grpcCodes.unimplemented)
  const junk = open<Uint8Array, DiscoveryResponse>({
    ...grpcMethod(SecretDiscoveryService.method.streamSecrets),
    encode: (bytes) => bytes,
  } as GrpcMethod<Uint8Array, DiscoveryResponse>)
  junk.send(Uint8Array.from([0xff, 0xff, 0xff]))
  assert.equal((await junk.ended).code, grpcCodes.invalidArgument)
  const idle = open(grpcMethod(SecretDiscoveryService.method.streamSecrets))
  idle.send(create(DiscoveryRequestSchema, { resourceNames: [ownCertificateSecret] }))
  await idle.next()
  served.close()
  assert.notEqual((await idle.ended).code, grpcCodes.ok)
})

const material = (mark: string): IdentityMaterial => ({
  spiffeId: 'spiffe://weft.local/ns/default/sa/web',
  keyPem: `key ${mark}`,
  chainPem: `chain ${mark}`,
  trustBundlePem: `roots ${mark}`,
  notAfterMs: 0,
})

/** One secret in a line. */
function read(resource: { value: Uint8Array } | undefined): string {
  const { name, type }: Secret = fromBinary(SecretSchema, resource?.value ?? new Uint8Array())
  const text = (source: { specifier: { value?: unknown } } | undefined): string => String(source?.specifier.value)
  if (type.case === 'tlsCertificate')
    return `${name}: ${text(type.value.certificateChain)}, ${text(type.value.privateKey)}`
  return type.case === 'validationContext' ? `${name}: ${text(type.value.trustedCa)}` : `${name}: ${type.case}`
}

interface Opened<I, O> {
  send(message: I): void
  next(): Promise<O>
  readonly ended: Promise<GrpcStatus>
}

async function service(t: TestContext): Promise<{
  identity: Settable<IdentityMaterial>
  refusals: readonly string[]
  served: { close(): void }
  open: <I, O extends DiscoveryResponse | DeltaDiscoveryResponse>(method: GrpcMethod<I, O>) => Opened<I, O>
}> {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'weft-sds-'))
  const unix = path.join(folder, 'a.sock')
  const identity = settable(material('1'))
  const refusals: string[] = []
  const served = await serveSecrets(unix, identity, (name, reason) => refusals.push(`${name}: ${reason}`))
  t.after(() => {
    served.close()
    fs.rmSync(folder, { recursive: true })
  })
  return {
    identity,
    refusals,
    served,
    open(method) {
      const connection = connectGrpc({ unix }, { clock: systemClock, log: silentLog })
      t.after(() => connection.close())
      const ended = Promise.withResolvers<GrpcStatus>()
      const come: Parameters<Parameters<typeof connection.stream<never, never>>[1]['message']>[0][] = []
      let wake = (): void => {}
      const call = connection.stream(method, {
        message(message) {
          come.push(message as never)
          wake()
        },
        end: ended.resolve,
      })
      return {
        send: (message) => void call.send(message),
        async next() {
          while (come.length === 0) await new Promise<void>((resolve) => (wake = resolve))
          return come.shift() as never
        },
        ended: ended.promise,
      }
    },
  }
}
