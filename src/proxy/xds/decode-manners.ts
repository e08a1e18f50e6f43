import {
  HttpProtocolOptions_HeadersWithUnderscoresAction as UnderscoresAction,
  type HttpProtocolOptions,
} from '../../xds/gen/envoy/config/core/v3/protocol_pb.ts'
import {
  HttpConnectionManager_PathWithEscapedSlashesAction as EscapedSlashes,
  HttpConnectionManager_ServerHeaderTransformation as ServerHeader,
  type HttpConnectionManager,
} from '../../xds/gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.ts'
import type { HttpTerminal, PathShape } from '../config.ts'
import { durationMs } from './decode-parts.ts'
import { decodeUpgrades } from './decode-upgrades.ts'
import { join, type Refusals } from './refusals.ts'

/** How a connection manager treats clients: which upgrades, what paths look like, who says that it is the server. */
export function decodeManners(
  manager: HttpConnectionManager,
  path: string,
  refused: Refusals,
): Pick<HttpTerminal, 'upgrades' | 'paths' | 'serverHeader'> {
  const name = manager.serverName || 'weft'
  if (/[^\x20-\x7e]/.test(name)) refused.add(join(path, 'server_name'), 'is no header value')
  const how = manager.serverHeaderTransformation
  return {
    upgrades: decodeUpgrades(manager, path, refused),
    paths: decodePaths(manager, path, refused),
    ...(how === ServerHeader.PASS_THROUGH
      ? {}
      : { serverHeader: { name, how: how === ServerHeader.APPEND_IF_ABSENT ? 'if-absent' : 'overwrite' } }),
  }
}

const underscores: Readonly<Record<number, HttpTerminal['underscores']>> = {
  [UnderscoresAction.REJECT_REQUEST]: 'refuse',
  [UnderscoresAction.DROP_HEADER]: 'drop',
}

/** What every call is bounded by, and what its fields may be called. */
export function decodeCallLimits(
  options: HttpProtocolOptions | undefined,
  path: string,
  refused: Refusals,
): Pick<HttpTerminal, 'streamTimeoutMs' | 'underscores'> {
  if (options === undefined) return {}
  const { maxStreamDuration: whole, headersWithUnderscoresAction: action } = options
  const how = underscores[action]
  if (how === undefined && action !== UnderscoresAction.ALLOW)
    refused.add(join(path, 'headers_with_underscores_action'), `${action} is not supported`)
  return {
    ...(whole && { streamTimeoutMs: durationMs(whole, 0, join(path, 'max_stream_duration'), refused) }),
    ...(how && { underscores: how }),
  }
}

const escapedSlashes: Readonly<Record<number, NonNullable<PathShape['escapedSlashes']>>> = {
  [EscapedSlashes.KEEP_UNCHANGED]: 'keep',
  [EscapedSlashes.REJECT_REQUEST]: 'refuse',
  [EscapedSlashes.UNESCAPE_AND_REDIRECT]: 'redirect',
  [EscapedSlashes.UNESCAPE_AND_FORWARD]: 'decode',
}

/** Envoy leaves paths as they are unless it is told; what "implementation specific" means for escaped slashes is ours to say. */
function decodePaths(manager: HttpConnectionManager, path: string, refused: Refusals): PathShape {
  const action = manager.pathWithEscapedSlashesAction
  const how = escapedSlashes[action]
  if (how === undefined && action !== EscapedSlashes.IMPLEMENTATION_SPECIFIC_DEFAULT)
    refused.add(join(path, 'path_with_escaped_slashes_action'), `${action} is not supported`)
  return {
    normalize: manager.normalizePath ?? false,
    mergeSlashes: manager.mergeSlashes,
    ...(how && { escapedSlashes: how }),
  }
}
