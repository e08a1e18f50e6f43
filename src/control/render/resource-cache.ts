import { create, type DescMessage, type MessageInitShape } from '@bufbuild/protobuf'
import { packAny } from '../../xds/any.ts'
import { ResourceSchema, type Resource } from '../../xds/gen/envoy/service/discovery/v3/discovery_pb.ts'
import { contentVersion } from '../../xds/version.ts'
import { leavable } from './leavable-fields.ts'
import { sameData } from './same-data.ts'

/** One resource, encoded: shared by all streams that send it. */
export interface RenderedResource {
  readonly name: string
  /** Hash of the bytes: the same content has the same version in every process. */
  readonly version: string
  /** As it stands in a delta response. */
  readonly message: Resource
  /** EDS: the workloads (`<namespace>/<name>`) that a client with this version may call. */
  readonly offers: ReadonlySet<string>
}

/** What a resource is made from; nothing else may go into it. */
export type Inputs = readonly unknown[]

/**
 * Encodings of the present model and the one before: what was made from equal inputs is not made again, and what came out the same is
 * the same object.
 */
export interface ResourceCache {
  get<Schema extends DescMessage>(
    key: string,
    name: string,
    inputs: Inputs,
    schema: Schema,
    render: () => MessageInitShape<Schema>,
    offers?: () => ReadonlySet<string>,
  ): RenderedResource
  /** A new model: what nobody asks for until the next one is forgotten. */
  turn(): void
  /** How many resources have been encoded so far. */
  readonly encoded: number
}

const none: ReadonlySet<string> = new Set()

interface Entry {
  readonly inputs: Inputs
  readonly resource: RenderedResource
}

/** Empty: everything is encoded once. */
export function createResourceCache(): ResourceCache {
  let present = new Map<string, Entry>()
  let before = new Map<string, Entry>()
  let encoded = 0
  return {
    get(key, name, inputs, schema, render, offers = () => none) {
      const known = present.get(key)
      if (known !== undefined) return known.resource
      const old = before.get(key)
      const resource = old !== undefined && sameData(old.inputs, inputs) ? old.resource : encode()
      present.set(key, { inputs, resource })
      return resource

      function encode(): RenderedResource {
        encoded++
        const any = packAny(schema, create(schema, render()))
        const version = contentVersion(any.value)
        if (old?.resource.version === version) return old.resource
        return {
          name,
          version,
          message: create(ResourceSchema, { name, version, resource: any, ...leavable(schema) }),
          offers: offers(),
        }
      }
    },
    turn() {
      before = present
      present = new Map()
    },
    get encoded() {
      return encoded
    },
  }
}
