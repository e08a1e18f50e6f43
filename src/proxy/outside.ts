import type { Clock } from '../base/clock.ts'
import type { Log } from '../base/log.ts'
import { passthroughCluster } from '../xds/names.ts'
import type { HttpTerminal } from './config.ts'

/** The fallback routes lead out of the mesh: MeshConfig outboundTraffic is AllowAny. */
export function allowsOthers({ routes }: HttpTerminal): boolean {
  if (!('inline' in routes)) return false
  return routes.inline.virtualHosts.some((host) =>
    host.routes.some(
      ({ action }) =>
        action.kind === 'forward' && action.clusters.some(({ cluster }) => cluster === passthroughCluster),
    ),
  )
}

/** Why a connection, and why a datagram, was refused. */
export const unregisteredSentence =
  'refused: this destination is not registered (MeshConfig outboundTraffic is RegisteredOnly)'
export const datagramsSentence =
  'refused: datagrams to outside of the mesh (MeshConfig outboundTraffic.udp), or to a service, which takes none'

/** A destination is told of once in this time, ms. */
const quietMs = 60_000
/** So many destinations are remembered; beyond them nothing is told until the oldest is old enough. */
const remembered = 256

/**
 * Tells whoever runs the program of each destination that was refused since nobody registered it, and who asked for it: once a minute
 * each, however often it is tried. Counting is not done here.
 */
export function createUnregisteredLog(
  log: Log,
  clock: Clock,
  { principal, sentence }: { readonly principal: string; readonly sentence: string },
): (destination: string) => void {
  const told = new Map<string, number>()
  return (destination) => {
    const nowMs = clock.nowMs()
    for (const [old, atMs] of told) {
      if (nowMs - atMs < quietMs) break
      told.delete(old)
    }
    if (told.has(destination) || told.size >= remembered) return
    told.set(destination, nowMs)
    log.warn(sentence, { destination, source: principal })
  }
}
