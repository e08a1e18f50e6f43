import { create } from '@bufbuild/protobuf'
import { AnySchema, type Any } from '@bufbuild/protobuf/wkt'

/** A filter that we do not have. */
export const LuaLike: Any = create(AnySchema, {
  typeUrl: 'type.googleapis.com/envoy.extensions.filters.http.lua.v3.Lua',
})
