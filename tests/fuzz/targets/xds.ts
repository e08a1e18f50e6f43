import assert from 'node:assert/strict'
import fs from 'node:fs'
import { fromBinary, type DescMessage } from '@bufbuild/protobuf'
import { createRenderer } from '../../../src/control/render/render.ts'
import { modelFromYaml } from '../../../src/control/render/testing/model-yaml.ts'
import { decodeResource } from '../../../src/proxy/xds/decode.ts'
import { ClusterSchema } from '../../../src/xds/gen/envoy/config/cluster/v3/cluster_pb.ts'
import { ClusterLoadAssignmentSchema } from '../../../src/xds/gen/envoy/config/endpoint/v3/endpoint_pb.ts'
import { ListenerSchema } from '../../../src/xds/gen/envoy/config/listener/v3/listener_pb.ts'
import { RouteConfigurationSchema } from '../../../src/xds/gen/envoy/config/route/v3/route_pb.ts'
import { typeUrls, type XdsType } from '../../../src/xds/type-urls.ts'
import type { Target } from '../target.ts'

const folder = new URL('../../../src/control/render/testdata/', import.meta.url)
const schemas = {
  LDS: ListenerSchema,
  RDS: RouteConfigurationSchema,
  CDS: ClusterSchema,
  EDS: ClusterLoadAssignmentSchema,
}

/** All that our own control plane renders for the golden models, of one type. */
function rendered(type: XdsType): readonly Buffer[] {
  return fs
    .readdirSync(folder)
    .filter((name) => name.endsWith('.in.yaml'))
    .flatMap((name) => {
      const model = modelFromYaml(fs.readFileSync(new URL(name, folder), 'utf8'))
      const rendering = createRenderer().render(model, '')
      return Array.from(model.workloads.values(), (workload) => ({ workload, kind: 'foreign' as const })).flatMap(
        (proxy) =>
          rendering.wildcard(type, proxy).map((one) => rendering.resource(type, one, proxy)?.message.resource?.value),
      )
    })
    .flatMap((bytes) => (bytes === undefined ? [] : [Buffer.from(bytes)]))
}

const isMessage = (schema: DescMessage, bytes: Uint8Array): boolean => {
  try {
    fromBinary(schema, bytes)
    return true
  } catch {
    return false
  }
}

const ofType = (type: keyof typeof schemas): Target => ({
  name: `xds-${type.toLowerCase()}`,
  seeds: rendered(type),
  words: ['\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01', '\x0a\0', '\x12\x02\x08\0', 'envoy.filters.http.lua', '(a+)+$'],
  // A message comes whole: that it is decoded or refused by name is all there is to try.
  read: async (pieces) => {
    const value = Buffer.concat(pieces)
    const decoded = decodeResource(type, {
      name: 'x',
      resource: { $typeName: 'google.protobuf.Any', typeUrl: typeUrls[type], value },
    })
    if (!('problem' in decoded)) return 'taken'
    assert.ok(
      decoded.problem !== `x: the bytes are no ${typeUrls[type]}` || !isMessage(schemas[type], value),
      `the decoder met a bug: ${decoded.problem}`,
    )
    return decoded.problem
  },
})

export const xds: readonly Target[] = [ofType('LDS'), ofType('RDS'), ofType('CDS'), ofType('EDS')]
