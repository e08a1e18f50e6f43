import { keyText } from '../decode/resource.ts'
import type { ResourceOf } from '../decode/resource-types.ts'
import type { InventorySnapshot } from '../inventory/snapshot.ts'

/** How we are called in a GatewayClass, and in the status of what attaches. */
export const controllerName = 'weft.dev/gateway'

/** The class that is there without anybody having written it. */
const builtIn = 'weft'

/** Whether this mesh serves a Gateway; undefined: there is no class of that name. */
export function isOurGateway({ spec }: ResourceOf<'Gateway'>, snapshot: InventorySnapshot): boolean | undefined {
  const key = keyText({ kind: 'GatewayClass', namespace: '', name: spec.gatewayClassName })
  const found = snapshot.entries.get(key)?.resource
  if (found?.kind === 'GatewayClass') return found.spec.controllerName === controllerName
  return spec.gatewayClassName === builtIn ? true : undefined
}
