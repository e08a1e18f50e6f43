import { createHash } from 'node:crypto'

/**
 * A loopback address for a Gateway, the same on every machine: 127.64.0.1 to 127.127.255.254, apart from those that people use.
 * `attempt` counts from 0 and gives another one each time, for when somebody has it already.
 */
export function loopbackOf(gateway: string, attempt: number): string {
  const digest = createHash('sha256').update(`${gateway}/${attempt}`).digest()
  return `127.${64 + (digest.readUInt8(0) % 64)}.${digest.readUInt8(1)}.${1 + (digest.readUInt8(2) % 254)}`
}
