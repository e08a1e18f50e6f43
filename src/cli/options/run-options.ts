import { isAppProtocol } from '../../base/app-protocol.ts'
import { parseAddress, type Address } from '../../base/address.ts'
import { localityForm, parseLocality } from '../../base/locality.ts'
import { readWorkers } from './workers-option.ts'
import { readReadiness, type ReadyFlags } from './ready-options.ts'
import type { AgentOptions, InboundChoice, ProgramPort } from '../../agent/options.ts'

/** The flags of `weft run` as commander hands them over. */
export interface RunFlags extends ReadyFlags {
  readonly service: string
  readonly namespace?: string
  readonly serviceAccount?: string
  readonly port?: readonly string[]
  readonly label?: readonly string[]
  readonly capture?: string
  readonly proxy?: string
  readonly envoyPath?: string
  readonly inbound?: readonly string[]
  readonly locality?: string
  readonly advertise?: string
  readonly admin?: string
  readonly dataDir?: string
  readonly tokenFile?: string
  readonly wait?: boolean
  readonly restart?: AgentOptions['restart']
  readonly workers?: string
  readonly verbose?: boolean
}

/** All but what comes from the world around: the data directory, the token, the version. */
export type ReadRunOptions = Omit<AgentOptions, 'dataDir' | 'tokenText' | 'version'>

/** Every flag that makes no sense is named, not only the first. */
export function readRunOptions(
  flags: RunFlags,
  command: readonly string[],
): { readonly options: ReadRunOptions } | { readonly problems: readonly string[] } {
  const problems: string[] = []
  const keep = <T>(read: T | Wrong): T | undefined => {
    if (typeof read !== 'object' || read === null || !('wrong' in read)) return read
    problems.push((read as Wrong).wrong)
    return undefined
  }
  const all = <T>(texts: readonly string[] = [], read: (text: string) => T | Wrong): readonly T[] =>
    texts.map((text) => keep(read(text))).filter((one) => one !== undefined)

  const [program, ...args] = command
  if (program === undefined)
    problems.push('what shall run? Put it after --, as in: weft run --service web --port 8080 -- node server.js')
  const capture = keep(readCapture(flags.capture ?? 'auto'))
  const envoy = keep(readProxy(flags, capture))
  const ports = all(flags.port, readPort)
  problems.push(...repeated(ports))
  const { readiness, problems: unready } = readReadiness(flags)
  problems.push(...unready)
  if (flags.locality !== undefined && parseLocality(flags.locality) === undefined)
    problems.push(`--locality is ${localityForm}, not ${quote(flags.locality)}`)
  const labels = Object.fromEntries(all(flags.label, readLabel))
  const workers = keep(readWorkers(flags.workers)) ?? 1
  const inbound = all(flags.inbound, readInbound)
  const admin = flags.admin === undefined ? undefined : keep(readListenAddress('--admin', flags.admin))
  for (const { port } of inbound)
    if (
      !ports.some(({ name, servicePort, targetPort }) =>
        port === undefined ? ports.length === 1 : [name, String(servicePort), String(targetPort)].includes(port),
      )
    )
      problems.push(
        port === undefined
          ? '--inbound HOST:PORT fits one --port only; with several write NAME=HOST:PORT'
          : `--inbound ${port}=…: no --port is called that`,
      )
  if (problems.length > 0 || program === undefined || capture === undefined) return { problems }
  return {
    options: {
      service: flags.service,
      namespace: flags.namespace ?? 'default',
      ...(flags.serviceAccount === undefined ? {} : { serviceAccount: flags.serviceAccount }),
      ports,
      labels,
      capture,
      ...(envoy === undefined || envoy === 'weft' ? {} : { envoy }),
      inbound,
      ...(flags.locality === undefined ? {} : { locality: flags.locality }),
      ...(flags.advertise === undefined ? {} : { advertise: flags.advertise }),
      ...(admin === undefined ? {} : { admin }),
      wait: flags.wait ?? true,
      restart: flags.restart ?? 'no',
      workers,
      readiness,
      command: [program, ...args],
    },
  }
}

interface Wrong {
  readonly wrong: string
}
const wrong = (sentence: string): Wrong => ({ wrong: sentence })
const quote = (text: string): string => JSON.stringify(text.slice(0, 80))

function readCapture(text: string): AgentOptions['capture'] | Wrong {
  if (text === 'auto' || text === 'namespace' || text === 'explicit' || text === 'host') return text
  return wrong(`--capture is auto, namespace, host or explicit, not ${quote(text)}`)
}

function readProxy(
  { proxy = 'weft', envoyPath, workers }: RunFlags,
  capture: AgentOptions['capture'] | undefined,
): 'weft' | NonNullable<AgentOptions['envoy']> | Wrong {
  if (proxy !== 'weft' && proxy !== 'envoy') return wrong(`--proxy is weft or envoy, not ${quote(proxy)}`)
  if (proxy === 'envoy' && workers !== undefined)
    return wrong('--workers does not go with --proxy envoy, which has threads of its own')
  if (proxy === 'weft') return envoyPath === undefined ? 'weft' : wrong('--envoy-path goes with --proxy envoy')
  if (process.platform !== 'linux') return wrong('--proxy envoy works on Linux only')
  if (capture === 'namespace' || capture === 'host')
    return wrong(
      `--capture ${capture} does not go with --proxy envoy: the sockets of captured calls cannot be handed to Envoy; it takes calls by HTTP_PROXY (--capture explicit)`,
    )
  return envoyPath === undefined ? {} : { file: envoyPath }
}

const portForm = /^(?:([a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?):)?(?:(\d{1,5})=)?(\d{1,5})(?:\/(.+))?$/

/** `[NAME:][SERVICEPORT=]PORT[/PROTOCOL]`: "8080", "80=8080", "http:80=8080/http". */
function readPort(text: string): ProgramPort | Wrong {
  const match = portForm.exec(text)
  if (match === null)
    return wrong(
      `--port is [NAME:][SERVICEPORT=]PORT[/PROTOCOL], such as 8080 or http:80=8080/http, not ${quote(text)}`,
    )
  const [, name, , servicePort, targetPort, protocol] = match
  const target = Number(targetPort)
  const service = servicePort === undefined ? target : Number(servicePort)
  if (![target, service].every(isPort)) return wrong(`--port ${text}: a port is a number from 1 to 65535`)
  if (protocol !== undefined && !isAppProtocol(protocol))
    return wrong(`--port ${text}: the protocol is http, http2, grpc, tcp or udp, not ${quote(protocol)}`)
  return {
    ...(name === undefined ? {} : { name }),
    servicePort: service,
    targetPort: target,
    ...(protocol === undefined ? {} : { protocol }),
  }
}

const isPort = (port: number): boolean => port >= 1 && port <= 65_535

function repeated(ports: readonly ProgramPort[]): readonly string[] {
  const twice = (values: readonly (string | number | undefined)[]): readonly (string | number)[] =>
    values.filter((value, index): value is string | number => value !== undefined && values.indexOf(value) !== index)
  return [
    ...twice(ports.map(({ servicePort }) => servicePort)).map((port) => `--port: service port ${port} is given twice`),
    ...twice(ports.map(({ name }) => name)).map((name) => `--port: the name ${name} is given twice`),
  ]
}

function readLabel(text: string): readonly [string, string] | Wrong {
  const [, key, value] = /^([^=\s]{1,317})=(\S{0,63})$/.exec(text) ?? []
  return key === undefined || value === undefined ? wrong(`--label is KEY=VALUE, not ${quote(text)}`) : [key, value]
}

function readInbound(text: string): InboundChoice | Wrong {
  const mark = text.indexOf('=')
  const address = readListenAddress('--inbound', text.slice(mark + 1))
  if ('wrong' in address) return address
  return mark < 0 ? { address } : { port: text.slice(0, mark), address }
}

/** "127.0.0.1:15000", ":15000" (loopback) or "15000"; port 0 takes a free one. */
export function readListenAddress(flag: string, text: string): Address | Wrong {
  const address = parseAddress(text) ?? parseAddress(`127.0.0.1:${text.replace(/^:/, '')}`)
  return address ?? wrong(`${flag} wants HOST:PORT, such as 127.0.0.1:15000, not ${quote(text)}`)
}
