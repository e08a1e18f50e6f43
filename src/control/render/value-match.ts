import type { MessageInitShape } from '@bufbuild/protobuf'
import type { HeaderMatcherSchema } from '../../xds/gen/envoy/config/route/v3/route_components_pb.ts'
import type { ValueMatch } from '../model/model.ts'
import { regexMatch, type StringMatch } from './value-pattern.ts'

/** What a header must say. */
export const headerMatch = (one: ValueMatch): MessageInitShape<typeof HeaderMatcherSchema> => ({
  name: one.name.toLowerCase(),
  headerMatchSpecifier: { case: 'stringMatch', value: valueMatch(one) },
})

/** A text as it must be, or a regular expression for all of it. */
export const valueMatch = ({ kind, value }: ValueMatch): StringMatch =>
  kind === 'regex' ? regexMatch(value) : { matchPattern: { case: 'exact', value } }
