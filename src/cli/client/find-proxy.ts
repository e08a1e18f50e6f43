import type { ProxyState } from '../../control/api/contract.ts'
import type { Client } from './client.ts'

/** The proxy's whole name, why there is none, or why nobody could be asked. */
export type Found =
  | { readonly proxy: string }
  | { readonly sentence: string }
  | { readonly failed: Extract<Awaited<ReturnType<Client['get']>>, { kind: 'failed' }> }

/**
 * The exact name, or the only connected one that begins like this: "reviews" for "default/reviews-3k9x2". With `any` the first of
 * several will do.
 */
export async function findProxy(client: Client, name: string, namespace = 'default', any = false): Promise<Found> {
  const answer = await client.get<readonly ProxyState[]>('/v1/proxies')
  if (answer.kind === 'failed') return { failed: answer }
  const wanted = name.includes('/') ? name : `${namespace}/${name}`
  const known = answer.value.map(({ proxy }) => proxy)
  const alike = answer.value
    .filter(({ proxy, connected }) => connected && proxy.startsWith(`${wanted}-`))
    .map(({ proxy }) => proxy)
  if (known.includes(wanted)) return { proxy: wanted }
  if ((any || alike.length === 1) && alike[0] !== undefined) return { proxy: alike[0] }
  if (alike.length > 1) return { sentence: `${name} could be any of ${alike.join(', ')}` }
  return {
    sentence: `no proxy ${wanted}; ${known.length === 0 ? 'none is connected' : `there are ${known.slice(0, 10).join(', ')}`}`,
  }
}
