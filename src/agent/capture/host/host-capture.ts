import { refused, type Refused } from '../../options.ts'
import { bindDatagrams, bindSocket, type HeldSocket } from '../../sockets.ts'
import { capturePorts } from '../namespace/messages.ts'
import type { Namespace } from '../namespace/namespace.ts'
import { installed } from './nft.ts'
import { passesBy } from './rules.ts'

/** The sockets that captured traffic arrives on. */
export type CaptureSockets = Pick<Namespace, 'outbound' | 'dns' | 'datagrams'> & {
  /** The same for IPv6, where this machine has it. */
  readonly also: readonly HeldSocket[]
  /** Connections to ports of this machine come by `capturePorts.inbound`. */
  readonly inbound: boolean
  close(): void
}

/**
 * Takes the sockets that `weft capture install` sends everything to, in the network namespace of this process; one sidecar can have them.
 * Refused when the rules are not there, or would catch what the sidecar sends.
 */
export async function openHostCapture(
  env: Readonly<Record<string, string | undefined>>,
  uid: number,
): Promise<CaptureSockets | Refused> {
  const found = installed(env)
  if ('failed' in found) return refused(`--capture host cannot see the rules: ${found.failed}`)
  if (found.rules === undefined)
    return refused(`--capture host: no rules are installed here; as root: weft capture install --except-user ${uid}`)
  if (!passesBy(found.rules, uid))
    return refused(
      `--capture host: the rules would catch what the sidecar itself sends (user ${uid}); as root: weft capture install --except-user ${uid}`,
    )
  const held: HeldSocket[] = []
  const bind = (host: string, port: number, also?: HeldSocket): HeldSocket | Refused => {
    const socket = bindSocket({ host, port }, 'capture socket', also === undefined ? {} : { also: also.address })
    if (!('refused' in socket)) held.push(socket)
    return socket
  }
  const outbound = bind('127.0.0.1', capturePorts.outbound)
  const dns = bind('127.0.0.1', capturePorts.dns)
  for (const one of [outbound, dns])
    if ('refused' in one) {
      for (const socket of held) socket.close()
      return refused(`${one.refused}: one sidecar serves a network namespace`)
    }
  if ('refused' in outbound || 'refused' in dns) return refused('no capture sockets')
  const also = [bind('::1', capturePorts.outbound, outbound), bind('::1', capturePorts.dns, dns)]
  const bound = [
    await bindDatagrams({ host: '127.0.0.1', port: capturePorts.dns }, 'DNS', 'captured'),
    await bindDatagrams({ host: '::1', port: capturePorts.dns }, 'DNS', 'captured'),
  ]
  const datagrams = bound.filter((one): one is HeldSocket => !('refused' in one))
  return {
    outbound,
    dns,
    datagrams,
    also: also.filter((one): one is HeldSocket => !('refused' in one)),
    inbound: found.rules.inboundPorts === 'all' || found.rules.inboundPorts.length > 0,
    close() {
      for (const socket of [...held, ...datagrams]) socket.close()
    },
  }
}
