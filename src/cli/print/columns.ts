import { formatAge } from './table.ts'
import { at, listAt, textAt } from './plain.ts'

/** The columns of `weft get` for one kind, after NAMESPACE and NAME and before AGE. */
interface Columns {
  readonly heading: readonly string[]
  readonly cells: (document: unknown) => readonly string[]
}

const routeColumns: Columns = {
  heading: ['PARENTS', 'BACKENDS', 'ACCEPTED'],
  cells: (route) => [parents(route), backends(route), accepted(route)],
}

const byKind: Readonly<Record<string, Columns>> = {
  Service: {
    heading: ['PORTS', 'ENDPOINTS', 'FROM'],
    cells: (service) => [ports(service), endpoints(service), inferred(service) ? 'inferred' : 'written'],
  },
  Workload: {
    heading: ['SERVICE', 'ADDRESS', 'READY', 'IDENTITY'],
    cells: (workload) => [
      textAt(workload, 'spec', 'service'),
      addresses(workload),
      readinessOf(workload),
      identity(workload),
    ],
  },
  ExternalService: {
    heading: ['HOSTS', 'PORTS', 'RESOLUTION'],
    cells: (external) => [
      dash(listAt(external, 'spec', 'hosts').map(String).join(',')),
      ports(external),
      textAt(external, 'spec', 'resolution'),
    ],
  },
  GatewayClass: {
    heading: ['CONTROLLER', 'ACCEPTED'],
    cells: (one) => [textAt(one, 'spec', 'controllerName'), accepted(one)],
  },
  Gateway: {
    heading: ['CLASS', 'ADDRESS', 'PROGRAMMED'],
    cells: (gateway) => [
      textAt(gateway, 'spec', 'gatewayClassName'),
      dash(
        listAt(gateway, 'status', 'addresses')
          .map((address) => textAt(address, 'value'))
          .join(','),
      ),
      accepted(gateway),
    ],
  },
  ListenerSet: {
    heading: ['GATEWAY', 'LISTENERS', 'ACCEPTED'],
    cells: (set) => [
      [textAt(set, 'spec', 'parentRef', 'namespace'), textAt(set, 'spec', 'parentRef', 'name')]
        .filter((part) => part !== '')
        .join('/'),
      String(listAt(set, 'spec', 'listeners').length),
      accepted(set),
    ],
  },
  HTTPRoute: routeColumns,
  GRPCRoute: routeColumns,
  AuthorizationPolicy: {
    heading: ['ACTION', 'SELECTS', 'RULES', 'ACCEPTED'],
    cells: (policy) => [
      textAt(policy, 'spec', 'action') || 'ALLOW',
      selects(policy),
      String(listAt(policy, 'spec', 'rules').length),
      accepted(policy),
    ],
  },
  TrafficPolicy: {
    heading: ['TARGETS', 'SETS', 'ACCEPTED'],
    cells: (policy) => [selects(policy), settings(policy), accepted(policy)],
  },
  PeerAuthentication: {
    heading: ['MTLS', 'SELECTS', 'ACCEPTED'],
    cells: (policy) => [textAt(policy, 'spec', 'mtls', 'mode') || 'UNSET', selects(policy), accepted(policy)],
  },
}

const none: Columns = { heading: [], cells: () => [] }

/** The heading for documents of `kind`; namespaces are shown when several may be among them. */
export function headingOf(kind: string, showNamespace: boolean): readonly string[] {
  return [...(showNamespace ? ['NAMESPACE'] : []), 'NAME', ...(byKind[kind] ?? none).heading, 'AGE']
}

/** One line for one document. `wallMs` is now. */
export function rowOf(document: unknown, showNamespace: boolean, wallMs: number): readonly string[] {
  const { cells } = byKind[textAt(document, 'kind')] ?? none
  const namespace = textAt(document, 'metadata', 'namespace')
  return [
    ...(showNamespace ? [namespace] : []),
    textAt(document, 'metadata', 'name'),
    ...cells(document),
    age(document, wallMs),
  ]
}

const dash = (text: string): string => (text === '' ? '-' : text)

const ports = (service: unknown): string =>
  dash(
    listAt(service, 'spec', 'ports')
      .map((port) => textAt(port, 'port'))
      .join(','),
  )

/** "2/3": ready of all. */
function endpoints(service: unknown): string {
  const total = textAt(service, 'status', 'endpoints', 'total')
  return total === '' ? '-' : `${textAt(service, 'status', 'endpoints', 'ready') || '0'}/${total}`
}

/** Whether a Service was made from its running workloads, and not written by anyone. */
export const inferred = (service: unknown): boolean => at(service, 'status', 'inferred') === true

/** Where clients reach its ports: the sidecar's listeners, or the program itself where there is none. */
const addresses = (workload: unknown): string =>
  dash(
    listAt(workload, 'spec', 'ports')
      .map((port) =>
        at(port, 'inbound') === undefined
          ? `${textAt(workload, 'spec', 'address')}:${textAt(port, 'targetPort')}`
          : `${textAt(port, 'inbound', 'address')}:${textAt(port, 'inbound', 'port')}`,
      )
      .join(','),
  )

/** "yes", or why not; "-": nothing was said of it. */
export function readinessOf(workload: unknown): string {
  const said = condition(workload, 'Ready')
  if (said !== undefined)
    return textAt(said, 'status') === 'True' ? 'yes' : `no: ${textAt(said, 'message') || textAt(said, 'reason')}`
  const plain = at(workload, 'status', 'ready')
  if (plain === undefined) return '-'
  return plain === true ? 'yes' : ['no', textAt(workload, 'status', 'reason')].filter((part) => part !== '').join(': ')
}

const identity = (workload: unknown): string =>
  dash(textAt(workload, 'status', 'identity') || textAt(workload, 'spec', 'serviceAccount'))

const parents = (route: unknown): string =>
  dash(
    listAt(route, 'spec', 'parentRefs')
      .map((parent) => `${textAt(parent, 'kind') || 'Gateway'}/${textAt(parent, 'name')}`)
      .join(','),
  )

/** "catalog-v1=90,catalog-v2=10"; of several rules the first. */
function backends(route: unknown): string {
  const rules = listAt(route, 'spec', 'rules')
  const first = listAt(rules[0], 'backendRefs')
  const text = first
    .map((one) => `${textAt(one, 'name')}${first.length > 1 ? `=${textAt(one, 'weight') || '1'}` : ''}`)
    .join(',')
  return dash(rules.length > 1 ? `${text} +${rules.length - 1} rules` : text)
}

/** Conditions stand at the top, or one list for each parent or ancestor (Gateway API). */
export function conditionsOf(document: unknown): readonly unknown[] {
  const nested = [...listAt(document, 'status', 'parents'), ...listAt(document, 'status', 'ancestors')]
  return [...listAt(document, 'status', 'conditions'), ...nested.flatMap((one) => listAt(one, 'conditions'))]
}

const condition = (document: unknown, type: string): unknown =>
  conditionsOf(document).find((one) => textAt(one, 'type') === type)

/** "yes", or the reason of the first condition that is not as it should be. */
function accepted(document: unknown): string {
  const all = conditionsOf(document)
  if (all.length === 0) return '-'
  const bad = all.find((one) => textAt(one, 'status') === 'False' && textAt(one, 'type') !== 'Conflicted')
  return bad === undefined ? 'yes' : `no: ${textAt(bad, 'reason')}`
}

function selects(policy: unknown): string {
  const targets = [...listAt(policy, 'spec', 'targetRefs'), at(policy, 'spec', 'targetRef')].filter(
    (one) => one !== undefined,
  )
  if (targets.length > 0) return targets.map((one) => `${textAt(one, 'kind')}/${textAt(one, 'name')}`).join(',')
  const labels = at(policy, 'spec', 'selector', 'matchLabels')
  const pairs = typeof labels === 'object' && labels !== null ? Object.entries(labels) : []
  return pairs.length === 0 ? 'all' : pairs.map(([key, value]) => `${key}=${String(value)}`).join(',')
}

/** "retries,timeouts": the fields that a policy gives. */
function settings(policy: unknown): string {
  const spec = at(policy, 'spec')
  const fields = typeof spec === 'object' && spec !== null ? Object.keys(spec) : []
  return dash(fields.filter((field) => field !== 'targetRefs').join(','))
}

function age(document: unknown, wallMs: number): string {
  const created = Date.parse(textAt(document, 'metadata', 'creationTimestamp'))
  return Number.isNaN(created) || created <= 0 ? '-' : formatAge(wallMs - created)
}
