import { typeUrls, type XdsType } from '../../xds/type-urls.ts'

/** What ADS counts. */
export interface AdsMetrics {
  /** `waitedMs`: from the change of the mesh to the write; undefined when the proxy had asked. */
  pushed(type: XdsType, waitedMs: number | undefined): void
  settled(type: XdsType, tookMs: number, refused: boolean): void
  /** Prometheus text. */
  text(connected: number): string
}

const boundsSeconds = [0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10]

/** All counts at zero. */
export function createAdsMetrics(): AdsMetrics {
  const types = Object.keys(typeUrls) as XdsType[]
  const pushes = new Map<XdsType, number>()
  const refusals = new Map<XdsType, number>()
  const pushSeconds = histogram('weft_xds_push_seconds', 'From a change of the mesh to the write of a response.')
  const ackSeconds = histogram(
    'weft_xds_ack_seconds',
    'From the write of a response to its acknowledgement or refusal.',
  )
  const count = (counter: Map<XdsType, number>, type: XdsType): void =>
    void counter.set(type, (counter.get(type) ?? 0) + 1)
  const counter = (name: string, help: string, values: ReadonlyMap<XdsType, number>): string[] => [
    `# HELP ${name} ${help}`,
    `# TYPE ${name} counter`,
    ...types.map((type) => `${name}{type="${type}"} ${values.get(type) ?? 0}`),
  ]
  return {
    pushed(type, waitedMs) {
      count(pushes, type)
      if (waitedMs !== undefined) pushSeconds.observe(waitedMs / 1000)
    },
    settled(type, tookMs, refused) {
      if (refused) count(refusals, type)
      ackSeconds.observe(tookMs / 1000)
    },
    text: (connected) =>
      [
        '# HELP weft_xds_connected_proxies Open ADS streams.',
        '# TYPE weft_xds_connected_proxies gauge',
        `weft_xds_connected_proxies ${connected}`,
        ...counter('weft_xds_pushes_total', 'Responses sent.', pushes),
        ...counter('weft_xds_rejects_total', 'Responses that a proxy refused (NACK).', refusals),
        ...pushSeconds.lines(),
        ...ackSeconds.lines(),
        '',
      ].join('\n'),
  }
}

function histogram(name: string, help: string): { observe(seconds: number): void; lines(): string[] } {
  const buckets = boundsSeconds.map(() => 0)
  let count = 0
  let sum = 0
  return {
    observe(seconds) {
      count++
      sum += seconds
      const at = boundsSeconds.findIndex((bound) => seconds <= bound)
      if (at >= 0) buckets[at] = (buckets[at] ?? 0) + 1
    },
    lines() {
      let below = 0
      return [
        `# HELP ${name} ${help}`,
        `# TYPE ${name} histogram`,
        ...boundsSeconds.map((bound, at) => `${name}_bucket{le="${bound}"} ${(below += buckets[at] ?? 0)}`),
        `${name}_bucket{le="+Inf"} ${count}`,
        `${name}_sum ${sum}`,
        `${name}_count ${count}`,
      ]
    },
  }
}
