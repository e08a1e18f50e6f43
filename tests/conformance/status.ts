import type { ConditionWish, ResourceName, Step } from './case.ts'

interface Condition {
  readonly type: string
  readonly status: string
  readonly reason: string
  readonly message?: string
  readonly observedGeneration?: number
}
interface Kind {
  readonly group: string
  readonly kind: string
}
interface ListenerStatus {
  readonly name: string
  readonly supportedKinds?: readonly Kind[]
  readonly attachedRoutes?: number
  readonly conditions?: readonly Condition[]
}
interface Parent {
  readonly parentRef?: Readonly<Record<string, unknown>>
  readonly ancestorRef?: Readonly<Record<string, unknown>>
  readonly controllerName?: string
  readonly conditions?: readonly Condition[]
}
interface Status {
  readonly addresses?: readonly { readonly type?: string; readonly value: string }[]
  readonly conditions?: readonly Condition[]
  readonly listeners?: readonly ListenerStatus[]
  readonly parents?: readonly Parent[]
  readonly ancestors?: readonly Parent[]
  readonly attachedListenerSets?: number
}
interface Resource {
  readonly metadata?: { readonly generation?: number; readonly namespace?: string }
  readonly status?: Status
}

type Read = (wanted: ResourceName) => Promise<Readonly<Record<string, unknown>> | undefined>

/** How the status that a step asks for is not as it says; undefined: it is. */
export async function statusDifference(step: Step, read: Read): Promise<string | undefined> {
  if (step.type === 'gatewaysReady') {
    for (const name of step.gateways ?? []) {
      const difference = await notReady(name, read)
      if (difference !== undefined) return difference
    }
    return undefined
  }
  if (step.resource === undefined) return `the runner has no step ${step.type}`
  const resource = (await read(step.resource)) as Resource | undefined
  if (resource === undefined) return 'there is no such resource'
  const { status = {} } = resource
  switch (step.type) {
    case 'gatewayAddress':
      return status.addresses?.some(({ type }) => type !== undefined) === true ? undefined : 'there is no address'
    case 'gatewayAddresses':
      return addressesDifference(step, status)
    case 'condition':
      return conditionDifference(step, resource)
    case 'listenerConditions':
      return listenerConditions(step, status)
    case 'listeners':
      return listenersDifference(step, status)
    case 'zeroAttachedRoutes': {
      const { listeners = [] } = status
      const fits = listeners.length === 0 || (listeners.length === 1 && listeners[0]?.attachedRoutes === 0)
      return fits ? undefined : `attached routes: ${listeners.map((one) => one.attachedRoutes).join(', ')}`
    }
    case 'attachedListenerSets': {
      const { attachedListenerSets = 0 } = status
      return attachedListenerSets === step.count ? undefined : `${attachedListenerSets} ListenerSets are attached`
    }
    case 'noAcceptedParents': {
      const { parents = [] } = status
      const accepted = parents.filter(({ conditions }) => holds(conditions, { type: 'Accepted', status: 'True' }))
      return accepted.length === 0 && parents.length < 2 ? undefined : `${accepted.length} parents accept it`
    }
    case 'observedGeneration':
      return generationDifference(resource)
    default:
      return `the runner has no step ${step.type}`
  }
}

async function notReady(name: { namespace: string; name: string }, read: Read): Promise<string | undefined> {
  const { status } = ((await read({ kind: 'Gateway', ...name })) ?? {}) as Resource
  for (const type of ['Accepted', 'Programmed']) {
    const difference = wishDifference(status?.conditions, { type, status: 'True' })
    if (difference !== undefined) return `Gateway ${name.name}: ${difference}`
  }
  return undefined
}

function addressesDifference(
  { count, contains = [], notContains = [] }: Step,
  { addresses = [] }: Status,
): string | undefined {
  const values = addresses.map(({ value }) => value)
  const fits =
    values.length === count &&
    contains.every((one) => values.includes(filled(one))) &&
    !notContains.some((one) => values.includes(filled(one)))
  return fits ? undefined : `addresses are ${values.join(', ')}`
}
const filled = (address: string): string =>
  address.replace('PLACEHOLDER_USABLE_ADDRS', '127.0.0.77').replace('PLACEHOLDER_UNUSABLE_ADDRS', '192.0.2.77')

const holds = (conditions: readonly Condition[] = [], wish: ConditionWish): boolean =>
  wishDifference(conditions, wish) === undefined

function wishDifference(conditions: readonly Condition[] = [], wish: ConditionWish): string | undefined {
  const found = conditions.filter(({ type }) => type === wish.type)
  const fits = found.some(
    ({ status, reason }) =>
      (wish.status === undefined || status === wish.status) && (wish.reason === undefined || reason === wish.reason),
  )
  if (fits) return undefined
  const wanted = [wish.status, wish.reason].filter((one) => one !== undefined).join(' ')
  const [one] = found
  return one === undefined
    ? `there is no condition ${wish.type}`
    : `${wish.type} is ${one.status} ${one.reason}, expected ${wanted}: ${one.message}`
}

function conditionDifference(step: Step, { status = {}, metadata }: Resource): string | undefined {
  const { condition: type = '', parentRef, ancestorRef, controllerName, parentNamespaceRequired } = step
  const wish: ConditionWish = {
    type,
    ...(step.status === undefined ? {} : { status: step.status }),
    ...(step.reason === undefined ? {} : { reason: step.reason }),
  }
  if (parentRef === undefined && ancestorRef === undefined) return wishDifference(status.conditions, wish)
  const wanted = parentRef ?? ancestorRef ?? {}
  const own = metadata?.namespace
  const entries = (parentRef === undefined ? status.ancestors : status.parents) ?? []
  const fitting = entries.filter((entry) => {
    const ref = entry.parentRef ?? entry.ancestorRef ?? {}
    const named = Object.entries(wanted).every(([key, value]) =>
      key === 'namespace' ? (ref['namespace'] ?? own) === value : ref[key] === value,
    )
    const spelled = parentNamespaceRequired !== true || ref['namespace'] !== undefined
    const controller = controllerName?.replace('__CONTROLLER_NAME__', 'weft.dev/gateway')
    return named && spelled && (controller === undefined || entry.controllerName === controller)
  })
  if (fitting.length === 0) return `no entry for ${JSON.stringify(wanted)}`
  const differences = fitting.map(({ conditions }) => wishDifference(conditions, wish))
  return differences.includes(undefined) ? undefined : differences[0]
}

function listenerConditions({ listeners, conditions = [] }: Step, status: Status): string | undefined {
  const all = status.listeners ?? []
  const names = listeners === '*' ? all.map(({ name }) => name) : ((listeners ?? []) as readonly string[])
  if (names.length === 0) return 'there are no listeners'
  for (const name of names) {
    const listener = all.find((one) => one.name === name)
    for (const wish of conditions) {
      const difference = wishDifference(listener?.conditions, wish)
      if (difference !== undefined) return `listener ${name}: ${difference}`
    }
  }
  return undefined
}

function listenersDifference({ listeners }: Step, status: Status): string | undefined {
  const wanted = (listeners ?? []) as readonly (ListenerStatus & { readonly conditions: readonly ConditionWish[] })[]
  const there = status.listeners ?? []
  const names = there.map(({ name }) => name).toSorted()
  const expected = wanted.map(({ name }) => name).toSorted()
  if (names.join() !== expected.join()) return `listeners are ${names.join(', ')}, expected ${expected.join(', ')}`
  for (const wish of wanted) {
    const one = there.find(({ name }) => name === wish.name)
    const { supportedKinds: kinds = [], attachedRoutes = 0 } = one ?? {}
    const { supportedKinds = [] } = wish
    const missing = supportedKinds.find(
      ({ group, kind }) => !kinds.some((other) => other.group === group && other.kind === kind),
    )
    if (missing !== undefined) return `listener ${wish.name} does not support ${missing.kind}`
    if (supportedKinds.length === 0 && kinds.length > 0) return `listener ${wish.name} supports ${kinds.length} kinds`
    if (attachedRoutes !== wish.attachedRoutes)
      return `listener ${wish.name} has ${attachedRoutes} routes, expected ${wish.attachedRoutes}`
    for (const condition of wish.conditions) {
      const difference = wishDifference(one?.conditions, condition)
      if (difference !== undefined) return `listener ${wish.name}: ${difference}`
    }
  }
  return undefined
}

/** Every condition must be of the newest generation. */
function generationDifference({ metadata, status = {} }: Resource): string | undefined {
  const generation = metadata?.generation
  if (generation === undefined) return 'metadata.generation is missing'
  const { conditions = [], listeners = [], parents = [], ancestors = [] } = status
  const all = [...conditions, ...[...listeners, ...parents, ...ancestors].flatMap((one) => one.conditions ?? [])]
  if (all.length === 0) return 'there are no conditions'
  const stale = all.find((one) => one.observedGeneration !== generation)
  return stale === undefined
    ? undefined
    : `${stale.type} is of generation ${stale.observedGeneration}, the newest is ${generation}`
}
