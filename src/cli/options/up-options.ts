import net from 'node:net'
import { readListenAddress } from './run-options.ts'
import { formatAddress } from '../../base/address.ts'

/** The flags of `weft up` as commander hands them over. */
export interface UpFlags {
  readonly dataDir?: string
  readonly xds?: string
  readonly api?: string
  readonly advertise?: string
  readonly store?: string
  readonly filename?: readonly string[]
  readonly logLevel?: string
}

/** Checked; addresses are HOST:PORT. */
export interface UpOptions {
  readonly xds: string
  readonly api: string
  readonly advertise?: string
  readonly store: 'sqlite' | 'memory'
  readonly files: readonly string[]
}

/** Ports when nothing is said. */
export const defaultPorts = { xds: 15012, api: 15080 } as const

/** All binds loopback, but that `--advertise` puts xDS on the network. The API stays: it speaks plain HTTP. */
export function readUpOptions({
  xds,
  api,
  advertise,
  store = 'sqlite',
  filename = [],
}: UpFlags): { readonly options: UpOptions } | { readonly problems: readonly string[] } {
  const xdsHost = advertise === undefined ? '127.0.0.1' : net.isIP(advertise) === 0 ? '0.0.0.0' : advertise
  const xdsAddress = readListenAddress('--xds', xds ?? formatAddress({ host: xdsHost, port: defaultPorts.xds }))
  const apiAddress = readListenAddress('--api', api ?? `127.0.0.1:${defaultPorts.api}`)
  const problems = [xdsAddress, apiAddress].flatMap((one) => ('wrong' in one ? [one.wrong] : []))
  if (store !== 'sqlite' && store !== 'memory')
    problems.push(`--store is sqlite or memory, not ${JSON.stringify(store)}`)
  if (advertise !== undefined && !/^[\w.:-]+$/.test(advertise))
    problems.push(`--advertise wants a host name or IP address, not ${JSON.stringify(advertise)}`)
  if (problems.length > 0 || 'wrong' in xdsAddress || 'wrong' in apiAddress) return { problems }
  return {
    options: {
      xds: formatAddress(xdsAddress),
      api: formatAddress(apiAddress),
      ...(advertise === undefined ? {} : { advertise }),
      store: store === 'memory' ? 'memory' : 'sqlite',
      files: filename,
    },
  }
}
