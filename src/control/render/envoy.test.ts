import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { describe, test } from 'node:test'
import { promisify } from 'node:util'
import type { JsonObject, JsonValue } from '@bufbuild/protobuf'
import { realEnvoy } from '../../base/testing/real-envoy.ts'
import { agentCluster } from '../../xds/names.ts'
import type { XdsType } from '../../xds/type-urls.ts'
import { createRenderer, type Rendering } from './render.ts'
import { modelFromYaml } from './testing/model-yaml.ts'
import { resourceJson } from './testing/resource-json.ts'

const { binary: envoy, skip } = realEnvoy()
const cases = new URL('testdata/', import.meta.url)

/** What the golden files say is ours to decide; whether Envoy understands it is Envoy's. */
describe('real Envoy takes every golden case', { skip, concurrency: 2 }, () => {
  for (const file of fs.readdirSync(cases).filter((name) => name.endsWith('.in.yaml'))) {
    test(file.replace('.in.yaml', ''), async () => {
      const text = fs.readFileSync(new URL(file, cases), 'utf8')
      const complaint = await validate(bootstrap(createRenderer().render(modelFromYaml(text), 'no PEM is read here')))
      assert.equal(complaint, undefined)
    })
  }

  test('it would say so if it did not', async () => {
    const { static_resources: given, ...rest } = bootstrap(
      createRenderer().render(modelFromYaml('workloads: [{}]'), ''),
    )
    const bad = { name: 'bad', type: 'EDS' }
    const clusters = [...((given as JsonObject)['clusters'] as JsonValue[]), bad]
    assert.match((await validate({ ...rest, static_resources: { clusters } })) ?? '', /cannot create an EDS cluster/)
  })
})

/** All resources as static ones. A route configuration needs a listener to stand in; it gets one of its own. */
function bootstrap(rendering: Rendering): JsonObject {
  const [workload] = rendering.model.workloads.values()
  assert.ok(workload)
  const proxy = { workload, kind: 'foreign' as const }
  const all = (type: XdsType): JsonValue[] =>
    rendering.wildcard(type, proxy).flatMap((name) => {
      const resource = rendering.resource(type, name, proxy)
      return resource === undefined ? [] : [resourceJson(type, resource)]
    })
  return {
    node: { id: 'default/web-1', cluster: 'weft' },
    bootstrap_extensions: [
      {
        name: 'envoy.bootstrap.internal_listener',
        typed_config: {
          '@type': 'type.googleapis.com/envoy.extensions.bootstrap.internal_listener.v3.InternalListener',
        },
      },
    ],
    dynamic_resources: {
      ads_config: {
        api_type: 'DELTA_GRPC',
        transport_api_version: 'V3',
        grpc_services: [{ envoy_grpc: { cluster_name: agentCluster } }],
      },
    },
    static_resources: {
      listeners: [...all('LDS'), ...all('RDS').map(listenerFor)],
      clusters: [...all('CDS'), ...all('EDS').map(clusterOf), agent],
    },
  }
}

const agent: JsonObject = {
  name: agentCluster,
  type: 'STATIC',
  typed_extension_protocol_options: {
    'envoy.extensions.upstreams.http.v3.HttpProtocolOptions': {
      '@type': 'type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions',
      explicit_http_config: { http2_protocol_options: {} },
    },
  },
  load_assignment: {
    cluster_name: agentCluster,
    endpoints: [{ lb_endpoints: [{ endpoint: { address: { pipe: { path: '/nowhere' } } } }] }],
  },
}

/** Endpoints need a cluster to stand in. */
const clusterOf = (assignment: JsonValue, index: number): JsonObject => ({
  name: `endpoints-${index}`,
  type: 'STATIC',
  load_assignment: assignment,
})

const listenerFor = (routes: JsonValue, index: number): JsonObject => ({
  name: `routes-${index}`,
  address: { socket_address: { address: '127.0.0.1', port_value: 20_000 + index } },
  filter_chains: [
    {
      filters: [
        {
          name: 'http',
          typed_config: {
            '@type':
              'type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager',
            stat_prefix: 'routes',
            route_config: routes,
            http_filters: [
              {
                name: 'router',
                typed_config: { '@type': 'type.googleapis.com/envoy.extensions.filters.http.router.v3.Router' },
              },
            ],
          },
        },
      ],
    },
  ],
})

/** Envoy's complaint; undefined when it has none. */
async function validate(config: JsonObject): Promise<string | undefined> {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'weft-envoy-'))
  const file = path.join(folder, 'bootstrap.json')
  fs.writeFileSync(file, JSON.stringify(config))
  try {
    await promisify(execFile)(envoy, ['--mode', 'validate', '-l', 'error', '-c', file])
    return undefined
  } catch (error) {
    return error instanceof Error
      ? `${error.message}\n${String((error as { stderr?: unknown }).stderr)}`
      : String(error)
  } finally {
    fs.rmSync(folder, { recursive: true })
  }
}
