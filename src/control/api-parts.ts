import type { Clock, Timer } from '../base/clock.ts'
import type { Problem } from '../base/problem.ts'
import type { Watchable } from '../base/watchable.ts'
import type { Info } from './api/contract.ts'
import type { ApiParts, ResourceView } from './api/parts.ts'
import { check } from './check.ts'
import { keyText } from './decode/resource.ts'
import type { Store } from './collect/store.ts'
import type { Entry } from './inventory/entry.ts'
import type { Inventory } from './inventory/inventory.ts'
import type { InventorySnapshot } from './inventory/snapshot.ts'
import { nameOf } from './link/linked.ts'
import type { LiveModel } from './live-model.ts'
import type { Ads } from './serve/ads.ts'
import type { AgentSessions } from './session/agent-service.ts'
import { createConditionTimes } from './status/condition-times.ts'
import { statusOf } from './status/status.ts'

/** How long a sidecar may take to answer a question about itself. */
const askTimeoutMs = 5000
/** A new sidecar must start and get its configuration. */
const upgradeTimeoutMs = 30_000

/** What the rest of the control plane is to the API. */
export function apiParts({
  store,
  inventory,
  live,
  ads,
  sessions,
  info,
  issueToken,
  backUp,
  clock,
}: {
  readonly store: Store
  readonly inventory: Inventory
  readonly live: LiveModel
  readonly ads: Pick<Ads, 'proxies' | 'served' | 'metrics' | 'acknowledged'>
  readonly sessions: AgentSessions
  readonly info: () => Info
  readonly issueToken: ApiParts['issueToken']
  readonly backUp: ApiParts['backUp']
  readonly clock: Clock
}): ApiParts & { readonly close: () => void } {
  const times = createConditionTimes(clock)
  const problems = (): readonly Problem[] => [...inventory.problems.value, ...live.problems.value]
  const view = ({ resource, document, owner }: Entry): ResourceView => {
    const status = statusOf(
      { resource, document, owner },
      {
        snapshot: inventory.current.value,
        problems: problems(),
        model: live.model.value,
        acknowledged: (workload) => ads.acknowledged(workload),
      },
    )
    if (status === undefined) return { document, owner }
    const { generation } = document.metadata
    return { document: { ...document, status: times.stamp(nameOf(resource), status, generation) }, owner }
  }
  const lookings = lookAtConditions({
    current: inventory.current,
    clock,
    look(entries) {
      entries.forEach(view)
      times.keep(new Set(entries.map(({ resource }) => nameOf(resource))))
    },
  })
  return {
    store,
    info,
    issueToken,
    backUp,
    check: (text, file) => check(text, file, (changes) => inventory.with(changes), live.model.value.trustDomain),
    list({ kind, namespace }) {
      const { entries, revision } = inventory.current.value
      const items = [...entries.values()]
        .filter(
          ({ resource }) =>
            (kind === undefined || resource.kind === kind) &&
            (namespace === undefined || resource.metadata.namespace === namespace),
        )
        .toSorted((a, b) => byName(a.document.metadata, b.document.metadata))
      return { items: items.map(view), revision }
    },
    read(key) {
      const entry = inventory.current.value.entries.get(keyText(key))
      return entry === undefined ? undefined : view(entry)
    },
    watch(changed) {
      const stops = [inventory.current.watch(changed), inventory.problems.watch(changed), live.problems.watch(changed)]
      return () => stops.forEach((stop) => stop())
    },
    proxies: () => ads.proxies(),
    served: (revision, deadlineMs) => ads.served(revision, deadlineMs),
    async ask(proxy, what, detail = {}) {
      const known = sessions.list().some((session) => session.workload === proxy)
      if (!known) return { kind: 'unknown-proxy' }
      const answered = await sessions.ask(proxy, what, detail, what === 'upgrade' ? upgradeTimeoutMs : askTimeoutMs)
      return 'failed' in answered
        ? { kind: 'failed', reason: answered.failed }
        : { kind: 'answer', json: answered.json }
    },
    close: lookings.close,
    metrics: () => `${ads.metrics()}${inventoryMetrics(inventory)}`,
  }
}

/** Conditions change unseen: soon after a change somebody has to look, so that their times are right. */
const lookAfterMs = 500

function lookAtConditions({
  current,
  clock,
  look,
}: {
  readonly current: Watchable<InventorySnapshot>
  readonly clock: Clock
  readonly look: (entries: readonly Entry[]) => void
}): { readonly close: () => void } {
  let timer: Timer | undefined
  const stop = current.watch(() => {
    timer ??= clock.after(
      lookAfterMs,
      () => {
        timer = undefined
        look([...current.value.entries.values()])
      },
      { background: true },
    )
  })
  return {
    close() {
      stop()
      timer?.cancel()
    },
  }
}

function inventoryMetrics({ current, problems }: Inventory): string {
  const { entries, revision } = current.value
  const kinds = Map.groupBy(entries.values(), ({ resource }) => resource.kind)
  return [
    '# HELP weft_resources Resources in force, by kind.',
    '# TYPE weft_resources gauge',
    ...[...kinds].map(([kind, all]) => `weft_resources{kind="${kind}"} ${all.length}`),
    '# HELP weft_resource_problems Problems of the sources: documents that are not in force.',
    '# TYPE weft_resource_problems gauge',
    `weft_resource_problems ${problems.value.length}`,
    '# HELP weft_inventory_revision Changes of the inventory since the start.',
    '# TYPE weft_inventory_revision counter',
    `weft_inventory_revision ${revision}`,
    '',
  ].join('\n')
}

const byName = (a: { namespace: string; name: string }, b: { namespace: string; name: string }): number =>
  a.namespace < b.namespace ? -1 : a.namespace > b.namespace ? 1 : a.name < b.name ? -1 : a.name > b.name ? 1 : 0
