import {
  RouteAction_UpgradeConfig_ConnectConfigSchema as ConnectConfigSchema,
  RouteAction_UpgradeConfigSchema as RouteUpgradeSchema,
  type RouteAction,
} from '../../xds/gen/envoy/config/route/v3/route_components_pb.ts'
import {
  HttpConnectionManager_UpgradeConfigSchema as UpgradeConfigSchema,
  type HttpConnectionManager,
} from '../../xds/gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.ts'
import { fieldNames, join, knowOnly, type Refusals } from './refusals.ts'

const fields = fieldNames('upgrade_type enabled')
const routeFields = fieldNames('upgrade_type enabled connect_config')

/** What clients of a listener may ask to change to, lower case. */
export function decodeUpgrades(
  { upgradeConfigs }: Pick<HttpConnectionManager, 'upgradeConfigs'>,
  path: string,
  refused: Refusals,
): readonly string[] {
  const offered = new Map<string, boolean>()
  for (const [index, config] of upgradeConfigs.entries()) {
    const at = join(path, `upgrade_configs[${index}]`)
    knowOnly(UpgradeConfigSchema, config, fields, at, refused)
    note(offered, config, join(at, 'upgrade_type'), refused)
  }
  return [...offered].flatMap(([type, is]) => (is ? [type] : []))
}

/** The same of a route; what it does not name is as the listener says. A CONNECT ends here. */
export function decodeRouteUpgrades(
  { upgradeConfigs }: Pick<RouteAction, 'upgradeConfigs'>,
  path: string,
  refused: Refusals,
): { readonly upgrades?: ReadonlyMap<string, boolean>; readonly endsConnect?: true } {
  if (upgradeConfigs.length === 0) return {}
  let endsConnect = false
  const offered = new Map<string, boolean>()
  for (const [index, config] of upgradeConfigs.entries()) {
    const at = join(path, `upgrade_configs[${index}]`)
    knowOnly(RouteUpgradeSchema, config, routeFields, at, refused)
    note(offered, config, join(at, 'upgrade_type'), refused)
    const { connectConfig } = config
    if (connectConfig !== undefined)
      knowOnly(ConnectConfigSchema, connectConfig, connectFields, join(at, 'connect_config'), refused)
    if (config.upgradeType.toLowerCase() === 'connect') {
      endsConnect = connectConfig !== undefined
      if (!endsConnect && config.enabled !== false)
        refused.add(join(at, 'connect_config'), 'is missing: a CONNECT that goes on as one is not supported')
    } else if (connectConfig !== undefined) refused.add(join(at, 'connect_config'), 'is for CONNECT')
  }
  return { upgrades: offered, ...(endsConnect && { endsConnect }) }
}

const connectFields: ReadonlySet<string> = new Set()

/** A token (RFC 9110, section 7.8), or CONNECT. HTTP/2 begins with its preface here, never by an upgrade. */
function note(
  offered: Map<string, boolean>,
  { upgradeType, enabled = true }: { readonly upgradeType: string; readonly enabled?: boolean | undefined },
  path: string,
  refused: Refusals,
): void {
  const type = upgradeType.toLowerCase()
  if (!/^[!#$%&'*+.^_`|~0-9a-z-]+(?:\/[!#$%&'*+.^_`|~0-9a-z-]+)?$/.test(type) || unsupported.has(type))
    refused.add(path, `"${upgradeType}" is not supported`)
  if (offered.has(type)) refused.add(path, `${upgradeType} is there twice`)
  offered.set(type, enabled)
}

const unsupported: ReadonlySet<string> = new Set(['connect-udp', 'h2c'])
