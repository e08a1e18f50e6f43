import type { Clock } from '../base/clock.ts'
import type { NamedService } from './config.ts'
import { createAnswerCache } from './dns/answer-cache.ts'
import { createForward } from './dns/forward.ts'
import { answerFromNames, type MeshNames } from './dns/mesh-names.ts'
import { hostResolvers } from './dns/resolvers.ts'
import { createDnsServer, type DnsServer } from './dns/serve-dns.ts'

/** Answers for the names of the mesh, asks the machine's own resolvers for the rest. */
export function startDns(
  names: MeshNames,
  answered: Parameters<typeof createDnsServer>[0]['answered'],
  clock: Clock,
): DnsServer {
  const host = hostResolvers(clock)
  let turn = 0
  // Clients take the first one: another one each time.
  const instancesOf = (service: NamedService): readonly NamedService[] => {
    const all = names.instancesOf(service)
    const from = turn++ % Math.max(1, all.length)
    return [...all.slice(from), ...all.slice(0, from)]
  }
  return createDnsServer({
    lookup: (question) => answerFromNames(question, { find: names.find, instancesOf }, host().search),
    forward: createForward({ resolvers: () => host().servers, clock }),
    cache: createAnswerCache(clock),
    answered,
    clock,
  })
}
