import { createRegistry } from '@bufbuild/protobuf'
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { AddressSchema } from './gen/envoy/config/core/v3/address_pb.ts'
import { LbEndpointSchema } from './gen/envoy/config/endpoint/v3/endpoint_components_pb.ts'
import {
  ClusterLoadAssignmentSchema,
  file_envoy_config_endpoint_v3_endpoint,
} from './gen/envoy/config/endpoint/v3/endpoint_pb.ts'

const imports = file_envoy_config_endpoint_v3_endpoint.dependencies

test('a file has the files that it imports, and they have theirs', () => {
  const components = imports.find(({ name }) => name === 'envoy/config/endpoint/v3/endpoint_components')
  assert.ok(components !== undefined)
  assert.equal(LbEndpointSchema.file, components)
  assert.ok(components.dependencies.some((file) => file === AddressSchema.file))
})

test('the type of a field is the very one that its own file has', () => {
  const { endpoints } = ClusterLoadAssignmentSchema.field
  assert.ok(endpoints?.fieldKind === 'list' && endpoints.listKind === 'message')
  const { lbEndpoints } = endpoints.message.field
  assert.ok(lbEndpoints?.fieldKind === 'list' && lbEndpoints.listKind === 'message')
  assert.equal(lbEndpoints.message, LbEndpointSchema)
})

test('a registry of one file knows its types, as with the library', () => {
  const registry = createRegistry(file_envoy_config_endpoint_v3_endpoint)
  assert.equal(registry.getMessage(ClusterLoadAssignmentSchema.typeName), ClusterLoadAssignmentSchema)
})
