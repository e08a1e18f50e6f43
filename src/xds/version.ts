import { hash } from 'node:crypto'

/**
 * The version of a resource: 16 hex digits that depend on its bytes alone, so that a restart of the control plane or another one
 * beside it says the same. Feed it a deterministic encoding (`encodeStable`), else every restart is a full push.
 */
export function contentVersion(bytes: Uint8Array): string {
  return hash('sha256', bytes, 'hex').slice(0, 16)
}
