/** So many hosts, each with so many paths: exact ones and prefixes by turns. */
export interface RouteCounts {
  readonly hosts: number
  readonly paths: number
}

const toNext = {
  cluster: 'next',
  timeout: '0s',
  retry_policy: { retry_on: 'connect-failure,refused-stream', num_retries: 2 },
}

/** Two hosts, of which the first has two path rules; the request takes the second. */
const small = {
  name: 'routes',
  virtual_hosts: [
    { name: 'other', domains: ['other'], routes: [{ match: { prefix: '/' }, route: { cluster: 'next' } }] },
    {
      name: 'web',
      domains: ['*'],
      routes: [
        { match: { path_separated_prefix: '/other' }, route: { cluster: 'next' } },
        { match: { prefix: '/' }, route: toNext },
      ],
    },
  ],
}

const hostName = (host: number): string => `service-${host}.shop.test`
const pathName = (path: number): string => `/api/v1/resource-${path}`

/** A `RouteConfiguration` in which every route leads to the cluster `next`. */
export function routeTable(counts: RouteCounts | undefined): object {
  if (counts === undefined) return small
  return {
    name: 'routes',
    virtual_hosts: Array.from({ length: counts.hosts }, (_, host) => ({
      name: hostName(host),
      domains: [hostName(host)],
      routes: Array.from({ length: counts.paths }, (_, path) => ({
        match: path % 2 === 0 ? { path_separated_prefix: pathName(path) } : { path: pathName(path) },
        route: toNext,
      })),
    })),
  }
}

/** The request that takes the route in the middle, which is a prefix, of the host in the middle. */
export function middleOf({ hosts, paths }: RouteCounts): { readonly authority: string; readonly target: string } {
  const path = Math.floor(paths / 2)
  return { authority: hostName(Math.floor(hosts / 2)), target: `${pathName(path - (path % 2))}/items?page=2` }
}
