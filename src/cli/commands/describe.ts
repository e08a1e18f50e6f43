import { systemClock } from '../../base/clock.ts'
import type { ResourceList } from '../../control/api/contract.ts'
import type { Client } from '../client/client.ts'
import { failedAnswer, withClient } from '../client/connect.ts'
import type { PlaceOptions } from '../client/place.ts'
import { conditionsOf, headingOf, rowOf } from '../print/columns.ts'
import { at, listAt, textAt } from '../print/plain.ts'
import { printOne, type Format } from '../print/structured.ts'
import { formatTable } from '../print/table.ts'
import { status, type Terminal } from '../terminal.ts'
import { resourcePath } from './get.ts'

/** Flags of `weft describe`. */
export interface DescribeFlags extends PlaceOptions {
  readonly namespace?: string
  readonly output?: Format
}

/** All about one resource: what was written, what became of it, and for a Service or Workload what has to do with it. */
export function describe(kind: string, name: string, flags: DescribeFlags, terminal: Terminal): Promise<number> {
  return withClient(flags, terminal, async (client) => {
    const answer = await client.get<unknown>(resourcePath(kind, flags.namespace ?? 'default', name))
    if (answer.kind === 'failed') return failedAnswer(terminal, answer)
    if (flags.output !== undefined) {
      await printOne(terminal, answer.value, flags.output)
      return status.done
    }
    const { toYaml } = await import('../print/yaml.ts')
    terminal.out(describeDocument(answer.value, toYaml))
    for (const [title, items] of await related(client, answer.value)) {
      terminal.out(`\n${title}\n`)
      terminal.out(items.length === 0 ? '  none\n' : indent(tableOf(items)))
    }
    return status.done
  })
}

/** The document's own part: head, spec, conditions and what they complain of, the rest of the status. */
export function describeDocument(document: unknown, yaml: (value: unknown) => string): string {
  const namespace = textAt(document, 'metadata', 'namespace')
  const lines = [
    `${textAt(document, 'kind')} ${namespace === '' ? '' : `${namespace}/`}${textAt(document, 'metadata', 'name')}\n`,
  ]
  const labels = at(document, 'metadata', 'labels')
  if (typeof labels === 'object' && labels !== null && Object.keys(labels).length > 0)
    lines.push(
      `labels: ${Object.entries(labels)
        .map(([key, value]) => `${key}=${String(value)}`)
        .join(', ')}\n`,
    )
  lines.push(`created: ${textAt(document, 'metadata', 'creationTimestamp') || '-'}\n`)
  const spec = at(document, 'spec')
  if (spec !== undefined) lines.push('\nSpec\n', indent(yaml(spec)))
  const conditions = conditionsOf(document)
  if (conditions.length > 0) lines.push('\nConditions\n', indent(conditionTable(conditions)))
  const rest = restOfStatus(document)
  if (rest !== undefined) lines.push('\nStatus\n', indent(yaml(rest)))
  return lines.join('')
}

const conditionTable = (conditions: readonly unknown[]): string =>
  formatTable(
    ['TYPE', 'STATUS', 'REASON', 'MESSAGE'],
    conditions.map((one) => ['type', 'status', 'reason', 'message'].map((field) => textAt(one, field))),
  )

function restOfStatus(document: unknown): unknown {
  const whole = at(document, 'status')
  if (typeof whole !== 'object' || whole === null) return undefined
  const {
    conditions: _conditions,
    parents: _parents,
    ancestors: _ancestors,
    ...rest
  } = whole as Record<string, unknown>
  return Object.keys(rest).length === 0 ? undefined : rest
}

const indent = (text: string): string => text.replaceAll(/^(?=.)/gm, '  ')

function tableOf(items: readonly unknown[]): string {
  const wallMs = systemClock.wallMs()
  return formatTable(
    headingOf(textAt(items[0], 'kind'), false),
    items.map((item) => rowOf(item, false, wallMs)),
  )
}

type Related = readonly (readonly [title: string, items: readonly unknown[]])[]

async function related(client: Client, document: unknown): Promise<Related> {
  const kind = textAt(document, 'kind')
  if (kind !== 'Service' && kind !== 'Workload') return []
  const namespace = textAt(document, 'metadata', 'namespace')
  const name = textAt(document, 'metadata', 'name')
  const list = async (of: string): Promise<readonly unknown[]> => {
    const answer = await client.get<ResourceList>(`/v1/resources/${of}?namespace=${encodeURIComponent(namespace)}`)
    return answer.kind === 'value' ? answer.value.items : []
  }
  const policies = [...(await list('AuthorizationPolicy')), ...(await list('PeerAuthentication'))]
  if (kind === 'Workload') return byKind(policies.filter((policy) => mayConcern(policy, [document], '')))
  const workloads = (await list('Workload')).filter((workload) => isSelected(document, workload))
  const routes = [...(await list('HTTPRoute')), ...(await list('GRPCRoute'))].filter((route) =>
    listAt(route, 'spec', 'parentRefs').some(
      (parent) => textAt(parent, 'kind') === 'Service' && textAt(parent, 'name') === name,
    ),
  )
  const traffic = (await list('TrafficPolicy')).filter((policy) => mayConcern(policy, workloads, name))
  return [
    ['Endpoints', workloads],
    ['Routes', routes],
    ['Policies (TrafficPolicy)', traffic],
    ...byKind(policies.filter((policy) => mayConcern(policy, workloads, name))),
  ]
}

const byKind = (policies: readonly unknown[]): Related =>
  ['AuthorizationPolicy', 'PeerAuthentication'].map((kind) => [
    `Policies (${kind})`,
    policies.filter((policy) => textAt(policy, 'kind') === kind),
  ])

/** A Service without selector is the one of its name. Source: Service `spec.selector`; inferred ones select `app`. */
function isSelected(service: unknown, workload: unknown): boolean {
  const selector = at(service, 'spec', 'selector')
  if (typeof selector !== 'object' || selector === null || Object.keys(selector).length === 0)
    return textAt(workload, 'spec', 'service') === textAt(service, 'metadata', 'name')
  return hasLabels(workload, selector)
}

function hasLabels(workload: unknown, wanted: object): boolean {
  const service = textAt(workload, 'spec', 'service')
  return Object.entries(wanted).every(
    ([key, value]) => (textAt(workload, 'metadata', 'labels', key) || (key === 'app' ? service : '')) === value,
  )
}

/** A policy without selector concerns all of its namespace. */
function mayConcern(policy: unknown, workloads: readonly unknown[], service: string): boolean {
  const targets = [...listAt(policy, 'spec', 'targetRefs'), at(policy, 'spec', 'targetRef')].filter(
    (one) => one !== undefined,
  )
  if (targets.length > 0)
    return targets.some(
      (target) =>
        textAt(target, 'kind') === 'Namespace' ||
        (textAt(target, 'kind') === 'Service' && textAt(target, 'name') === service),
    )
  const labels = at(policy, 'spec', 'selector', 'matchLabels')
  return typeof labels !== 'object' || labels === null || workloads.some((workload) => hasLabels(workload, labels))
}
