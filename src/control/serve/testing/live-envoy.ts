import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import fs from 'node:fs'
import path from 'node:path'
import type { TestContext } from 'node:test'
import { create, type JsonObject } from '@bufbuild/protobuf'
import { status } from '@grpc/grpc-js'
import { packAny } from '../../../xds/any.ts'
import { SecretSchema } from '../../../xds/gen/envoy/extensions/transport_sockets/tls/v3/secret_pb.ts'
import { DiscoveryResponseSchema } from '../../../xds/gen/envoy/service/discovery/v3/discovery_pb.ts'
import { SecretDiscoveryService } from '../../../xds/gen/envoy/service/secret/v3/sds_pb.ts'
import { agentCluster, ownCertificateSecret } from '../../../xds/names.ts'
import { typeUrls } from '../../../xds/type-urls.ts'
import { hostedService, type HostedService } from '../service.ts'

/** For tests: what the agent beside Envoy does, its workload's own certificate over SDS. */
export function agentSecrets({
  keyPem,
  chainPem,
}: {
  readonly keyPem: string
  readonly chainPem: string
}): HostedService {
  const secret = create(SecretSchema, {
    name: ownCertificateSecret,
    type: {
      case: 'tlsCertificate',
      value: {
        certificateChain: { specifier: { case: 'inlineString', value: chainPem } },
        privateKey: { specifier: { case: 'inlineString', value: keyPem } },
      },
    },
  })
  const unused = { code: status.UNIMPLEMENTED, details: 'not here' }
  return hostedService(SecretDiscoveryService, {
    streamSecrets(call) {
      call.on('data', ({ responseNonce }) => {
        if (responseNonce !== '') return
        call.write(
          create(DiscoveryResponseSchema, {
            versionInfo: '1',
            nonce: '1',
            typeUrl: typeUrls.SDS,
            resources: [packAny(SecretSchema, secret)],
          }),
        )
      })
      call.on('end', () => call.end())
    },
    deltaSecrets: (call) => void call.end(),
    fetchSecrets: async () => unused,
  })
}

/** An Envoy that runs until the test is over. */
export interface LiveEnvoy {
  /** The port of its admin interface. */
  readonly admin: number
  /** What it has written. */
  readonly log: () => string
}

/** For tests: starts an Envoy for the workload `id` that asks for everything at `unixPath`; resolves when it answers on its admin port. */
export async function startEnvoy(
  t: TestContext,
  {
    binary,
    folder,
    unixPath,
    id = 'default/web-1',
    prefix = [],
  }: {
    readonly binary: string
    readonly folder: string
    readonly unixPath: string
    readonly id?: string
    /** Put before the command line. */
    readonly prefix?: readonly string[]
  },
): Promise<LiveEnvoy> {
  const adminFile = path.join(folder, 'admin')
  const logFile = path.join(folder, 'envoy.log')
  const config = path.join(folder, 'bootstrap.json')
  fs.writeFileSync(config, JSON.stringify(bootstrap(unixPath, id)))
  const log = fs.openSync(logFile, 'w')
  const options = ['--disable-hot-restart', '--concurrency', '1', '-l', 'warn', '--admin-address-path', adminFile]
  const [command = binary, ...args] = [...prefix, binary, '-c', config, ...options]
  const child = spawn(command, args, { stdio: ['ignore', log, log] })
  fs.closeSync(log)
  t.after(async () => {
    if (child.exitCode !== null) return
    child.kill('SIGKILL')
    await once(child, 'exit')
  })
  const said = (): string => fs.readFileSync(logFile, 'utf8')
  while (!fs.existsSync(adminFile) || fs.statSync(adminFile).size === 0) {
    assert.equal(child.exitCode, null, said())
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
  return { admin: Number(fs.readFileSync(adminFile, 'utf8').split(':').at(-1)), log: said }
}

function bootstrap(unixPath: string, id: string): JsonObject {
  const onSocket = (name: string): JsonObject => ({
    name,
    type: 'STATIC',
    typed_extension_protocol_options: {
      'envoy.extensions.upstreams.http.v3.HttpProtocolOptions': {
        '@type': 'type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions',
        explicit_http_config: { http2_protocol_options: {} },
      },
    },
    load_assignment: {
      cluster_name: name,
      endpoints: [{ lb_endpoints: [{ endpoint: { address: { pipe: { path: unixPath } } } }] }],
    },
  })
  return {
    node: { id, cluster: 'weft' },
    bootstrap_extensions: [
      {
        name: 'envoy.bootstrap.internal_listener',
        typed_config: {
          '@type': 'type.googleapis.com/envoy.extensions.bootstrap.internal_listener.v3.InternalListener',
        },
      },
    ],
    admin: { address: { socket_address: { address: '127.0.0.1', port_value: 0 } } },
    dynamic_resources: {
      lds_config: { ads: {}, resource_api_version: 'V3' },
      cds_config: { ads: {}, resource_api_version: 'V3' },
      ads_config: {
        api_type: 'DELTA_GRPC',
        transport_api_version: 'V3',
        grpc_services: [{ envoy_grpc: { cluster_name: 'control-plane' } }],
      },
    },
    static_resources: { clusters: [onSocket('control-plane'), onSocket(agentCluster)] },
  }
}
