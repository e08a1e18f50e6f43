import type { Info } from '../control/api/contract.ts'
import type { Edge, ServiceFigures } from './figures.ts'
import type { Instance } from './world.ts'

/** Rows with columns two blanks apart, each line indented by two. */
export function columns(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)))
  return rows
    .map((row) => `  ${row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join('  ')}`.trimEnd())
    .map((line) => `${line}\n`)
    .join('')
}

/** What runs and where to look: the first thing that the demo prints. */
export function overview({
  info,
  instances,
  startedInMs,
  dataDir,
}: {
  info: Info
  instances: readonly Instance[]
  startedInMs: number
  dataDir: string
}): string {
  const storefront = instances.find(({ service }) => service === 'storefront')
  return `
Weft ${info.version}: a bookshop in a mesh, up in ${(startedInMs / 1000).toFixed(1)} s
${'─'.repeat(66)}
  shopper ─▶ storefront ─┬▶ catalog (v1 90 %, v2 10 %)
                         ├▶ reviews (two instances) ─▶ ratings
                         └▶ orders                     (reviews ─✕▶ orders)

Every program is an ordinary HTTP service that knows nothing of Weft. Beside each
stands a sidecar, a process of its own; between sidecars all is mutual TLS.

  the shop       http://127.0.0.1:${storefront?.port ?? 0}/   (the program itself; it calls the others by name)
  control plane  http://${info.apiAddress}/   xDS ${info.xdsAddress}   trust domain ${info.trustDomain}
  everything     ${dataDir}

${columns([
  ['INSTANCE', 'PROGRAM', 'SIDECAR ADMIN', 'AGENT'],
  ...instances.map(({ id, port, admin, child, version }) => [
    `${id} ${version}`,
    `127.0.0.1:${port}`,
    `${admin}/metrics`,
    `pid ${child.pid}`,
  ]),
])}`
}

const number = (value: number, unit: string, digits = 1): string =>
  Number.isNaN(value) ? '-' : `${value.toFixed(digits)}${unit}`

/** One line a service. */
export function figuresTable(figures: readonly ServiceFigures[]): string {
  return columns([
    ['SERVICE', 'INSTANCES', 'REQUESTS/S', 'SUCCESS', 'P50', 'P99'],
    ...figures
      .filter(({ perSecond, service }) => perSecond > 0 || service !== 'shopper')
      .map(({ service, instances, perSecond, success, p50Ms, p99Ms }) => [
        service,
        String(instances),
        perSecond.toFixed(1),
        number(success * 100, ' %'),
        number(p50Ms, ' ms'),
        number(p99Ms, ' ms'),
      ]),
  ])
}

/** One line a pair: who, to whom, how often, how safely. */
export function edgesTable(all: readonly Edge[]): string {
  return columns([
    ['CALLER (PROVEN BY ITS CERTIFICATE)', 'CALLS', 'TIMES', 'MUTUAL TLS'],
    ...all.map(({ source, destination, calls, encrypted }) => [
      source,
      destination.replace(/^default\//, ''),
      String(calls),
      encrypted === calls ? 'all' : `${encrypted} of ${calls}`,
    ]),
  ])
}

/** Commands that work in another terminal as they stand. */
export function thingsToTry({
  weft,
  dataDir,
  examples,
  plans,
}: {
  weft: string
  dataDir: string
  examples: string
  plans: string
}): string {
  const line = (command: string, about: string): string => `  ${weft} ${command.padEnd(52)} # ${about}\n`
  return `
Try, in another terminal:
  export WEFT_DATA_DIR=${dataDir}
${line('get services', 'names, ports, endpoints')}${line('get workloads -w', 'watch instances come and go')}${line('describe service catalog', 'who stands behind a name, and which rules')}${line(`apply -f ${plans}split-50-50.yaml`, 'half of the readers get v2')}${line(`apply -f ${examples}split.yaml`, 'and back')}${line('proxies', 'does each proxy run what it was sent?')}${line('config storefront endpoints', 'what a sidecar itself says')}${line('delete authorizationpolicy orders-not-from-reviews', 'let reviews order books')}`
}
