import { lookup } from 'node:dns/promises'

/** All addresses that this host's own resolver has for a name, its hosts file included. Rejects when there are none. */
export async function lookupHost(name: string): Promise<readonly string[]> {
  return (await lookup(name, { all: true, order: 'verbatim' })).map(({ address }) => address)
}
