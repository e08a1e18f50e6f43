/** The name in configuration of a secret that the server behind a cluster of the bootstrap brings by SDS: a URL of both names. */
export const sdsSecret = ({ cluster, name }: SdsSecret): string => `${scheme}${encodeURIComponent(cluster)}/${name}`

/** Which secret of whom. */
export interface SdsSecret {
  readonly cluster: string
  readonly name: string
}

const scheme = 'sds://'

/** The opposite; undefined: it comes with the rest of the configuration. */
export function parseSdsSecret(key: string): SdsSecret | undefined {
  if (!isSdsSecret(key)) return undefined
  const slash = key.indexOf('/', scheme.length)
  return { cluster: decodeURIComponent(key.slice(scheme.length, slash)), name: key.slice(slash + 1) }
}

/** Whether a name in configuration is one of these. */
export const isSdsSecret = (key: string): boolean => key.startsWith(scheme)
