import { lookup, type Resolver } from 'node:dns/promises'

/** All addresses that this host's own resolver has for a name, its hosts file included. Rejects when there are none. */
export async function lookupHost(name: string): Promise<readonly string[]> {
  return (await lookup(name, { all: true, order: 'verbatim' })).map(({ address }) => address)
}

/**
 * How long what the name's servers say of it holds, ms: the shortest of its A and AAAA records. 0: they say nothing of it, as of names
 * in the hosts file. Never rejects.
 */
export async function lookupTtlMs(name: string, servers: Pick<Resolver, 'resolve4' | 'resolve6'>): Promise<number> {
  const answers = await Promise.allSettled([
    servers.resolve4(name, { ttl: true }),
    servers.resolve6(name, { ttl: true }),
  ])
  const records = answers.flatMap((answer) => (answer.status === 'fulfilled' ? answer.value : []))
  return records.length === 0 ? 0 : 1000 * Math.min(...records.map(({ ttl }) => ttl))
}
