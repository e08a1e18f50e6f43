import { localityForm, parseLocality } from '../../base/locality.ts'
import type { GatewayOptions } from '../../gateway/options.ts'
import { readListenAddress } from './run-options.ts'
import { readWorkers } from './workers-option.ts'

/** The flags of `weft gateway` as commander hands them over. */
export interface GatewayFlags {
  readonly name: string
  readonly namespace?: string
  readonly bind?: string
  readonly advertise?: string
  readonly portMap?: readonly string[]
  readonly admin?: string
  readonly locality?: string
  readonly workers?: string
  readonly dataDir?: string
  readonly tokenFile?: string
  readonly wait?: boolean
  readonly verbose?: boolean
}

/** Every flag that makes no sense is named, not only the first. */
export function readGatewayOptions(
  flags: GatewayFlags,
):
  | { readonly options: Omit<GatewayOptions, 'dataDir' | 'tokenText' | 'version'> }
  | { readonly problems: readonly string[] } {
  const problems: string[] = []
  const portMap = new Map<number, number>()
  for (const text of flags.portMap ?? []) {
    const [, port, bind] = /^(\d{1,5})=(\d{1,5})$/.exec(text) ?? []
    const [from, to] = [Number(port), Number(bind)]
    if (!isPort(from) || !isPort(to))
      problems.push(`--port-map is PORT=PORT, such as 80=8080, not ${JSON.stringify(text)}`)
    else if (portMap.has(from)) problems.push(`--port-map: port ${from} is given twice`)
    else portMap.set(from, to)
  }
  const admin = flags.admin === undefined ? undefined : readListenAddress('--admin', flags.admin)
  if (admin !== undefined && 'wrong' in admin) problems.push(admin.wrong)
  if (flags.locality !== undefined && parseLocality(flags.locality) === undefined)
    problems.push(`--locality is ${localityForm}, not ${JSON.stringify(flags.locality)}`)
  const workers = readWorkers(flags.workers)
  if (typeof workers === 'object') problems.push(workers.wrong)
  if (problems.length > 0) return { problems }
  return {
    options: {
      name: flags.name,
      namespace: flags.namespace ?? 'default',
      ...(flags.bind === undefined ? {} : { bind: flags.bind }),
      ...(flags.advertise === undefined ? {} : { advertise: flags.advertise }),
      ...(admin === undefined || 'wrong' in admin ? {} : { admin }),
      portMap,
      ...(flags.locality === undefined ? {} : { locality: flags.locality }),
      wait: flags.wait ?? true,
      workers: typeof workers === 'number' ? workers : 1,
    },
  }
}

const isPort = (port: number): boolean => port >= 1 && port <= 65_535
