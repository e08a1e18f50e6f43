// One bootstrap, two proxies, one collector of Zipkin's: the same calls make the same spans, and tell the same upstream, with Envoy and with ours.
import assert from 'node:assert/strict'
import type { IncomingHttpHeaders } from 'node:http'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { realEnvoy } from '../../src/base/testing/real-envoy.ts'
import type { ZipkinSpan } from '../../src/proxy/tracing/testing/read-zipkin.ts'
import { freePort } from '../world/free-port.ts'
import { startZipkinCollector, type ZipkinCollector } from '../world/programs/zipkin-collector.ts'
import { startEnvoy } from './bare-envoy.ts'
import { startOurs } from './bare-proxy.ts'
import { clusterAt } from './bootstrap-parts.ts'
import { askTraced, startProgram, type Asked, type TracedProgram } from './traced-program.ts'

const { skip } = realEnvoy()
const types = 'type.googleapis.com/envoy'
const to = (prefix: string, more: object = {}, action: object = {}): object => ({
  match: { prefix },
  route: { cluster: 'program', ...action },
  ...more,
})
const routes = [
  to('/decorated', { decorator: { operation: 'checkout' } }),
  to('/never', { tracing: { overall_sampling: { numerator: 0 } } }),
  to('/retried', {}, { retry_policy: { retry_on: '5xx', num_retries: 2 } }),
  to('/gone', {}, { cluster: 'nowhere' }),
  { match: { path: '/own' }, direct_response: { status: 418, body: { inline_string: 'own' } } },
  to('/'),
]
const older = { collector_cluster: 'collector', collector_endpoint: '/api/v2/spans' }
const zipkin = (more: object = {}): object => ({
  provider: {
    name: 'envoy.tracers.zipkin',
    typed_config: {
      '@type': `${types}.config.trace.v3.ZipkinConfig`,
      ...older,
      collector_endpoint_version: 'HTTP_JSON',
      ...more,
    },
  },
})
const w3c = { trace_context_option: 'USE_B3_WITH_W3C_PROPAGATION' }
const service = (uri: string): object => ({
  collector_cluster: '',
  collector_service: {
    http_uri: { uri, cluster: 'collector', timeout: '1s' },
    request_headers_to_add: [{ header: { key: 'x-tenant', value: 'one' } }],
  },
})

/** By name: its direction and its tracing. */
const managers: Readonly<Record<string, readonly [direction: string, tracing: object]>> = {
  inbound: ['INBOUND', { ...zipkin(), custom_tags: [{ tag: 'user', request_header: { name: 'x-user' } }] }],
  outbound: ['OUTBOUND', zipkin()],
  upstream: ['INBOUND', { ...zipkin(), spawn_upstream_span: true }],
  'outbound-upstream': ['OUTBOUND', { ...zipkin(), spawn_upstream_span: true }],
  rare: ['INBOUND', { ...zipkin(), random_sampling: { value: 0 } }],
  never: ['INBOUND', { ...zipkin(), overall_sampling: { value: 0 } }],
  silent: ['INBOUND', { ...zipkin(), no_context_propagation: true }],
  alone: ['INBOUND', zipkin({ shared_span_context: false })],
  'alone-upstream': ['OUTBOUND', { ...zipkin({ shared_span_context: false }), spawn_upstream_span: true }],
  split: ['OUTBOUND', zipkin({ split_spans_for_request: true })],
  wide: ['INBOUND', zipkin({ trace_id_128bit: true })],
  w3c: ['INBOUND', zipkin(w3c)],
  'w3c-upstream': ['INBOUND', { ...zipkin({ ...w3c, trace_id_128bit: true }), spawn_upstream_span: true }],
  protobuf: ['INBOUND', { ...zipkin({ collector_endpoint_version: 'HTTP_PROTO' }), spawn_upstream_span: true }],
  service: ['INBOUND', zipkin(service('http://zipkin.example:9411/api/v2/spans?a=b'))],
  path: ['INBOUND', zipkin(service('/alone'))],
  host: ['INBOUND', zipkin({ collector_hostname: 'collector.example:9411', collector_endpoint: '/named' })],
}

const bootstrap = (
  ports: { readonly collector: number; readonly program: number },
  listeners: Readonly<Record<string, number>>,
): object => ({
  node: { id: 'me', cluster: 'callers', locality: { zone: 'zone-a' } },
  static_resources: {
    clusters: [clusterAt('program', ports.program), clusterAt('nowhere', 1), clusterAt('collector', ports.collector)],
    listeners: Object.entries(managers).map(([name, [direction, tracing]]) => ({
      name,
      traffic_direction: direction,
      address: { socket_address: { address: '127.0.0.1', port_value: listeners[name] } },
      filter_chains: [
        {
          filters: [
            {
              name: 'http',
              typed_config: {
                '@type': `${types}.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager`,
                stat_prefix: name,
                tracing,
                http_filters: [
                  {
                    name: 'router',
                    typed_config: { '@type': `${types}.extensions.filters.http.router.v3.Router` },
                  },
                ],
                route_config: { virtual_hosts: [{ name: 'v', domains: ['*'], routes }] },
              },
            },
          ],
        },
      ],
    })),
  },
})

/** What callers say of traces. {…} stands for ids of the call's own: a trace of 128 bits, the lower half of it, a span and its parent. */
const ids = { 'x-b3-traceid': '{trace}', 'x-b3-spanid': '{span}', 'x-b3-parentspanid': '{parent}' }
const yes = { 'x-b3-sampled': '1' }
const no = { 'x-b3-sampled': '0' }
const traced: readonly Readonly<Record<string, string>>[] = [
  {},
  { ...ids, ...yes },
  ids,
  { ...ids, 'x-b3-flags': '1' },
  { ...ids, 'x-b3-sampled': 'true' },
  yes,
  { 'x-b3-flags': '1' },
  { 'x-b3-traceid': '{short}', 'x-b3-spanid': '{span}', ...yes },
  { 'x-b3-traceid': '{TRACE}', 'x-b3-spanid': '{SPAN}', ...yes },
  { 'x-b3-traceid': '0000000000000000{short}', 'x-b3-spanid': '5', ...yes },
  { 'x-b3-traceid': '0x{short}', 'x-b3-spanid': '00000000{span}', 'x-b3-parentspanid': '0', ...yes },
  { ...ids, 'x-b3-parentspanid': '', ...yes },
  { 'x-b3-parentspanid': '{parent}' },
  { 'x-b3-traceid': '{trace}' },
  { 'x-b3-spanid': '{span}' },
  { b3: '1' },
  { b3: 'd' },
  { b3: '{trace}-{span}' },
  { b3: '{trace}-{span}-1' },
  { b3: '{TRACE}-{SPAN}-d' },
  { b3: '{trace}-{span}-1-{parent}' },
  { b3: '{short}-{span}-1-{parent}' },
  { b3: '{trace}-{span}-1-0000000000000000' },
  { b3: '{trace}-{span}-1', ...ids, ...no },
  { b3: '1', ...ids, ...no },
  { traceparent: '00-{trace}-{span}-01', tracestate: 'a=1' },
  { traceparent: 'nonsense' },
  { tracestate: 'a=1' },
]
const untraced: typeof traced = [
  { ...ids, ...no },
  no,
  { ...ids, 'x-b3-sampled': 'false' },
  { ...ids, 'x-b3-sampled': 'd' },
  { ...ids, 'x-b3-sampled': '' },
  { ...ids, 'x-b3-traceid': 'garbage', ...yes },
  { ...ids, 'x-b3-spanid': 'garbage', ...yes },
  { ...ids, 'x-b3-parentspanid': 'garbage', ...yes },
  { ...ids, 'x-b3-traceid': '{trace}0', ...yes },
  { ...ids, 'x-b3-traceid': '', 'x-b3-spanid': '', ...yes },
  { ...ids, 'x-b3-traceid': '-5', ...yes },
  { ...ids, 'x-b3-spanid': '+5', ...yes },
  { b3: '0' },
  { b3: 'x' },
  { b3: '' },
  { b3: 'nonsense' },
  { b3: '{short}-{span}-0' },
  { b3: '{trace}-{span}-x' },
  { b3: '{trace}-{span}-' },
  { b3: '{trace}-{span}-{parent}' },
  { b3: '{trace}-{span}-1-{parent}0' },
  { b3: '{trace}-{span}-1-garbagegarbagega' },
  { traceparent: '00-{trace}-{span}-01', ...ids, ...no },
  { traceparent: '00-{trace}-{span}-01', b3: '0' },
  { traceparent: '00-{trace}-{span}-01', b3: 'nonsense' },
]
const withW3c: typeof traced = [
  { traceparent: '00-{trace}-{span}-01', tracestate: 'a=1' },
  { traceparent: '00-0000000000000000{short}-{span}-01' },
  { traceparent: '00-{trace}-{span}-01', ...no },
  { traceparent: '00-{trace}-{span}-01', 'x-b3-traceid': '{short}', 'x-b3-parentspanid': '{parent}' },
  { traceparent: '00-{trace}-{span}-00', ...ids, ...yes },
  { traceparent: 'nonsense' },
  { traceparent: '00-{trace}-{span}-00', b3: '1' },
  { ...ids, ...yes },
  { b3: '{short}-{span}-1-{parent}' },
  {},
]
const everywhere = ['outbound', 'upstream', 'outbound-upstream', 'alone', 'alone-upstream', 'split', 'wide', 'protobuf']
const requests: readonly Asked[] = [
  ...traced.map((headers) => ({ path: '/', headers })),
  ...untraced.map((headers) => ({ path: '/', headers, untraced: true })),
  ...everywhere.flatMap((to) =>
    [{}, { ...ids, ...yes }, { ...ids, ...no }, { b3: '{trace}-{span}-1-{parent}' }].map((headers) => ({
      to,
      path: '/',
      headers,
      untraced: 'x-b3-sampled' in headers && headers['x-b3-sampled'] === '0',
    })),
  ),
  ...['w3c', 'w3c-upstream'].flatMap((to) => withW3c.map((headers) => ({ to, path: '/', headers }))),
  { to: 'w3c', path: '/', headers: { traceparent: '00-{trace}-{span}-00' }, untraced: true },
  // What the caller says of sampling is done, whatever this proxy thinks.
  ...['rare', 'never'].flatMap((to) => [
    { to, path: '/', headers: { ...ids, ...yes } },
    { to, path: '/', headers: yes },
    { to, path: '/', headers: { b3: 'd' } },
    { to, path: '/', headers: ids, untraced: true },
    { to, path: '/', headers: { ...ids, 'x-b3-flags': '1' }, untraced: true },
    { to, path: '/', headers: { b3: '{trace}-{span}' }, untraced: true },
    { to, path: '/', untraced: true },
  ]),
  { path: '/never', untraced: true },
  { path: '/never', headers: { ...ids, ...yes } },
  { to: 'rare', path: '/', headers: { 'x-client-trace-id': 'client-7' } },
  { to: 'silent', path: '/' },
  { to: 'silent', path: '/', headers: { ...ids, ...yes } },
  { to: 'silent', path: '/', headers: { b3: '1' } },
  { path: '/some/404?q=1', method: 'POST', body: 'twelve bytes', status: 404, headers: { 'x-user': 'ann' } },
  { path: '/some/500', status: 500, headers: { 'x-user': '' } },
  { path: '/gone', status: 503 },
  { to: 'upstream', path: '/gone', status: 503 },
  { path: '/own', status: 418 },
  { path: '/decorated' },
  { path: '/decorated', headers: { 'x-envoy-decorator-operation': 'of-the-caller' } },
  { to: 'outbound', path: '/decorated' },
  { to: 'outbound', path: '/some/decorates' },
  { to: 'upstream', path: '/retried/500', status: 500 },
  { path: '/retried/500', status: 500 },
  { path: '/', method: 'POST', h2: true, headers: { ...ids, ...yes } },
  { to: 'upstream', path: '/some/grpc/13', headers: { 'content-type': 'application/grpc' } },
  { to: 'service', path: '/' },
  { to: 'path', path: '/' },
  { to: 'host', path: '/' },
]

interface Outcome {
  readonly asked: Asked
  readonly answer: unknown
  readonly seen: readonly IncomingHttpHeaders[]
  /** The call's, and those below it in the order in which they began. */
  readonly spans: readonly ZipkinSpan[]
}

/** What the ids of a call are, by their names. */
function idsOf(index: number): Readonly<Record<string, string>> {
  const own = index.toString(16).padStart(4, '0')
  const [short, span, parent] = [`8448eb211c80${own}`, `b7ad6b716920${own}`, `f067aa0ba902${own}`]
  return { trace: `0af7651916cd43dd${short}`, short, span, parent }
}

const fieldNames = [
  'b3',
  'x-b3-traceid',
  'x-b3-spanid',
  'x-b3-parentspanid',
  'x-b3-sampled',
  'x-b3-flags',
  'traceparent',
  'tracestate',
  'x-request-id',
  'x-envoy-decorator-operation',
]

/** What is to be alike: of ids what they are to each other, of times their order. */
function comparable({ asked, answer, seen, spans }: Outcome, index: number): unknown {
  const names = new Map(Object.entries(idsOf(index)).map(([name, id]) => [id, name]))
  const named = (text: unknown): unknown =>
    typeof text === 'string'
      ? text.replaceAll(/[0-9a-f]{16}/g, (id) => {
          if (!names.has(id) && /[^0]/.test(id)) names.set(id, `id ${names.size}`)
          return names.get(id) ?? id
        })
      : text
  return {
    asked,
    answer,
    seen: seen.map((headers) => fieldNames.map((name) => named(headers[name]))),
    spans: spans.map(({ traceId, id, parentId, timestamp, duration, annotations, tags, ...span }) => ({
      ...span,
      ids: [named(traceId), named(id), named(parentId)],
      annotations: annotations.map(({ value }) => value),
      // Our own words in a body are others.
      tags: seen.length > 0 && asked.status !== 503 ? tags : { ...tags, response_size: 'differs' },
      inTime:
        Number.isInteger(timestamp) &&
        Number.isInteger(duration) &&
        duration >= 0 &&
        (annotations[0]?.timestamp ?? 0) >= timestamp + duration - 20_000 &&
        timestamp / 1000 > Date.now() - 60_000 &&
        timestamp / 1000 < Date.now(),
    })),
  }
}

/** The longest that a proxy keeps spans to itself, and some more. */
const exportMs = 6000

async function outcomes(
  who: string,
  listeners: Readonly<Record<string, number>>,
  program: TracedProgram,
  collector: ZipkinCollector,
): Promise<readonly Outcome[]> {
  const passed: (Omit<Outcome, 'spans'> & { readonly prefix: string })[] = []
  for (const [index, asked] of requests.entries()) {
    const prefix = index.toString(16).padStart(8, '0')
    const written = Object.entries(asked.headers ?? {}).map(([name, value]) => {
      const put = (text: string): string =>
        Object.entries(idsOf(index)).reduce(
          (rest, [id, hex]) => rest.replace(`{${id}}`, hex).replace(`{${id.toUpperCase()}}`, hex.toUpperCase()),
          text,
        )
      return [name, put(value)]
    })
    const headers = { 'x-request-id': `${prefix}-aaaa-4aaa-8aaa-aaaaaaaaaaaa`, ...Object.fromEntries(written) }
    const id = `${who}-${index}`
    const answer = await askTraced(listeners[asked.to ?? 'inbound'] ?? 0, { ...asked, headers }, id)
    passed.push({ prefix, asked, answer, seen: program.take(id) })
  }
  await sleep(exportMs)
  const spans = collector.spans.splice(0)
  return passed.map(({ prefix, ...one }) => {
    const own = spans.filter(({ tags }) => tags['guid:x-request-id']?.startsWith(prefix))
    const below = spans.filter(
      ({ parentId, traceId, tags }) =>
        tags['guid:x-request-id'] === undefined && own.some((span) => span.id === parentId && span.traceId === traceId),
    )
    return { ...one, spans: [...own, ...below.toSorted((a, b) => a.timestamp - b.timestamp)] }
  })
}

/** Envoy turns the bytes of ids around in Protocol Buffers, but not those of traces. */
const turned = (id: string): string => Buffer.from(id, 'hex').reverse().toString('hex')

test('spans by Zipkin: the same calls make the same ones as with Envoy', { skip }, async (t) => {
  const program = await startProgram()
  t.after(() => program.stop())
  const results = await Promise.all(
    [startEnvoy, startOurs].map(async (start) => {
      const collector = await startZipkinCollector(start === startEnvoy ? turned : undefined)
      t.after(() => collector.stop())
      const listeners: Record<string, number> = {}
      for (const name of Object.keys(managers)) listeners[name] = await freePort()
      const config = bootstrap({ collector: collector.port, program: program.port }, listeners)
      await start(t, config, () => askTraced(listeners['never'] ?? 0, { path: '/' }, 'ready'))
      return { outcomes: await outcomes(start.name, listeners, program, collector), exports: collector.exports }
    }),
  )
  const [theirs, ours] = results
  assert.ok(theirs && ours)
  for (const [index, one] of theirs.outcomes.entries()) {
    const what = JSON.stringify(one.asked)
    assert.equal(one.spans.length > 0, one.asked.untraced !== true, `Envoy makes other spans than expected: ${what}`)
    const own: Outcome | undefined = ours.outcomes[index]
    assert.deepEqual(own && comparable(own, index), comparable(one, index), what)
  }
  const waysOf = ({ exports }: typeof ours): unknown =>
    [':method', ':path', 'host', 'content-type', 'x-tenant']
      .reduce<string[][]>((rows, name) => exports.map((one, at) => [...(rows[at] ?? []), String(one[name])]), [])
      .map((row) => row.join(' '))
      .filter((row, at, all) => all.indexOf(row) === at)
      .toSorted()
  assert.deepEqual(waysOf(ours), waysOf(theirs))
  for (const { exports } of results) assert.ok(exports.some(({ count }) => count === 5))
})
