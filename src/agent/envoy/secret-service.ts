import http2 from 'node:http2'
import { create, fromBinary, toBinary } from '@bufbuild/protobuf'
import type { Any } from '@bufbuild/protobuf/wkt'
import type { Watchable } from '../../base/watchable.ts'
import type { IdentityMaterial } from '../../proxy/sidecar-messages.ts'
import { packAny } from '../../xds/any.ts'
import { SecretSchema } from '../../xds/gen/envoy/extensions/transport_sockets/tls/v3/secret_pb.ts'
import {
  DeltaDiscoveryRequestSchema,
  DeltaDiscoveryResponseSchema,
  DiscoveryRequestSchema,
  DiscoveryResponseSchema,
} from '../../xds/gen/envoy/service/discovery/v3/discovery_pb.ts'
import { deframer, frame } from '../../xds/grpc-frames.ts'
import { grpcCodes } from '../../xds/grpc.ts'
import { ownCertificateSecret, trustBundleSecret } from '../../xds/names.ts'
import { typeUrls } from '../../xds/type-urls.ts'

/** SDS for one Envoy: `close` ends its streams too. */
export interface SecretService {
  close(): void
}

/** A request is a few names; more comes from nobody whom we started. */
const limitBytes = 64 * 1024

/**
 * Serves the workload's own certificate and whom it believes on a Unix socket, and pushes both when they are renewed: the key goes from
 * here to Envoy and nowhere else. Source: envoy.service.secret.v3.SecretDiscoveryService; Envoy, xDS protocol.
 */
export async function serveSecrets(
  unixPath: string,
  identity: Watchable<IdentityMaterial>,
  refused: (name: string, reason: string) => void,
): Promise<SecretService> {
  const server = http2.createServer()
  const sessions = new Set<http2.ServerHttp2Session>()
  server.on('session', (session: http2.ServerHttp2Session) => {
    sessions.add(session)
    session.on('error', () => {})
    session.once('close', () => sessions.delete(session))
  })
  server.on('stream', (stream: http2.ServerHttp2Stream, headers: http2.IncomingHttpHeaders) => {
    stream.on('error', () => {})
    const talk = talks[String(headers[':path'])]
    if (talk === undefined)
      return stream.respond({ ...head, 'grpc-status': grpcCodes.unimplemented }, { endStream: true })
    stream.respond(head, { waitForTrailers: true })
    converse(stream, talk(refused), identity)
  })
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(unixPath, resolve)
  })
  return {
    close() {
      server.close()
      for (const session of sessions) session.destroy()
    },
  }
}

const head = { ':status': 200, 'content-type': 'application/grpc' }

/** One variant of the protocol on one stream. */
interface Talk {
  /** Takes a request. True: it is to be answered. */
  heard(bytes: Uint8Array): boolean
  /** The answer with the secrets as they are now. */
  answer(secretOf: (name: string) => Any | undefined, version: string): Uint8Array
}

function converse(stream: http2.ServerHttp2Stream, talk: Talk, identity: Watchable<IdentityMaterial>): void {
  const frames = deframer(limitBytes)
  let version = 0
  const send = (): void => {
    version++
    stream.write(frame(talk.answer((name) => secretNamed(name, identity.value), String(version))))
  }
  const end = (code: number): void => {
    if (!stream.closed) stream.end()
    status = code
  }
  let status: number = grpcCodes.ok
  stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': status }))
  const stop = identity.watch(() => void (version > 0 && send()))
  stream.once('close', stop)
  stream.once('end', () => end(grpcCodes.ok))
  stream.on('data', (chunk: Buffer) => {
    const cut = frames.push(chunk)
    if ('error' in cut) return end(grpcCodes.invalidArgument)
    try {
      for (const message of cut.messages) if (talk.heard(message)) send()
    } catch {
      end(grpcCodes.invalidArgument)
    }
  })
}

/** By method. */
const talks: Readonly<Record<string, ((refused: (name: string, reason: string) => void) => Talk) | undefined>> = {
  '/envoy.service.secret.v3.SecretDiscoveryService/StreamSecrets': wholeState,
  '/envoy.service.secret.v3.SecretDiscoveryService/DeltaSecrets': changes,
}

/** Each request says all names; one with the nonce of the last answer and the same names is its ACK or NACK. */
function wholeState(refused: (name: string, reason: string) => void): Talk {
  let names: readonly string[] = []
  let nonce = ''
  return {
    heard(bytes) {
      const { resourceNames, responseNonce, errorDetail } = fromBinary(DiscoveryRequestSchema, bytes)
      if (errorDetail !== undefined) refused(resourceNames.join(', '), errorDetail.message)
      const settled = nonce !== '' && responseNonce === nonce && resourceNames.join() === names.join()
      names = resourceNames
      return !settled && (responseNonce === nonce || nonce === '')
    },
    answer(secretOf, version) {
      nonce = version
      return toBinary(
        DiscoveryResponseSchema,
        create(DiscoveryResponseSchema, {
          versionInfo: version,
          nonce,
          typeUrl: typeUrls.SDS,
          resources: names.flatMap((name) => secretOf(name) ?? []),
        }),
      )
    },
  }
}

/** A request says what changes. */
function changes(refused: (name: string, reason: string) => void): Talk {
  const names = new Set<string>()
  return {
    heard(bytes) {
      const request = fromBinary(DeltaDiscoveryRequestSchema, bytes)
      const { resourceNamesSubscribe: wanted, resourceNamesUnsubscribe: unwanted, errorDetail } = request
      if (errorDetail !== undefined) refused([...names].join(', '), errorDetail.message)
      for (const name of unwanted) names.delete(name)
      for (const name of wanted) names.add(name)
      return wanted.length > 0
    },
    answer(secretOf, version) {
      const found = Array.from(names, (name) => ({ name, resource: secretOf(name) }))
      return toBinary(
        DeltaDiscoveryResponseSchema,
        create(DeltaDiscoveryResponseSchema, {
          systemVersionInfo: version,
          nonce: version,
          typeUrl: typeUrls.SDS,
          resources: found.flatMap(({ name, resource }) =>
            resource === undefined ? [] : [{ name, version, resource }],
          ),
          removedResources: found.flatMap(({ name, resource }) => (resource === undefined ? [name] : [])),
        }),
      )
    },
  }
}

function secretNamed(name: string, { keyPem, chainPem, trustBundlePem }: IdentityMaterial): Any | undefined {
  const inline = (inlineString: string) => ({ specifier: { case: 'inlineString' as const, value: inlineString } })
  switch (name) {
    case ownCertificateSecret:
      return packAny(
        SecretSchema,
        create(SecretSchema, {
          name,
          type: {
            case: 'tlsCertificate',
            value: { certificateChain: inline(chainPem), privateKey: inline(keyPem) },
          },
        }),
      )
    case trustBundleSecret:
      return packAny(
        SecretSchema,
        create(SecretSchema, {
          name,
          type: { case: 'validationContext', value: { trustedCa: inline(trustBundlePem) } },
        }),
      )
    default:
      return undefined
  }
}
