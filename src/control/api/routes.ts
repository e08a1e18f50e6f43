import type { Clock } from '../../base/clock.ts'
import { decode, integer, object, optional, string, type Decoder } from '../../base/decode.ts'
import { findKind, unknownKind, type KindInfo } from '../decode/kinds.ts'
import type { ResourceKey } from '../decode/resource.ts'
import { apply, remove } from './apply.ts'
import type { ConfigQuestion, ResourceList, TokenRequest } from './contract.ts'
import { indexPage } from './index-page.ts'
import type { ApiParts } from './parts.ts'
import { ok, refuse, type ApiReply } from './reply.ts'
import { watchResources } from './watch-resources.ts'

/** One request, its parts already read: path segments are decoded, the body is text ("" for GET and DELETE). */
export interface ApiRequest {
  readonly method: string
  readonly segments: readonly string[]
  readonly query: URLSearchParams
  readonly body: string
  /** It came by the Unix socket, which is the user's own. */
  readonly local: boolean
}

/** All of the API; contract.ts lists the routes. */
export async function route(parts: ApiParts, request: ApiRequest, clock: Clock): Promise<ApiReply> {
  const [version, what, ...rest] = request.segments
  if (version === undefined) return only('GET', request, () => indexPage(parts.info(), parts.proxies()))
  if (version === 'healthz' && what === undefined)
    return only('GET', request, () => ({ status: 200, text: 'ok\n', type: 'text/plain' }))
  if (version === 'metrics' && what === undefined)
    return only('GET', request, () => ({ status: 200, text: parts.metrics(), type: 'text/plain; version=0.0.4' }))
  if (version === 'v1' && rest.length === 0) {
    if (what === 'info') return only('GET', request, () => ok(parts.info()))
    if (what === 'proxies') return only('GET', request, () => ok(parts.proxies()))
    if (what === 'tokens') return only('POST', request, () => issueToken(parts, request.body))
    if (what === 'backup') return only('POST', request, () => backUp(parts, request))
    if (what === 'validate') return only('POST', request, () => apply(parts, request.body, 'valid'))
    if (what === 'apply') return only('POST', request, () => applyAndWait(parts, request))
  }
  if (version === 'v1' && what === 'resources') return resources(parts, request, rest, clock)
  if (version === 'v1' && what === 'proxies' && rest.length === 3 && rest[2] === 'config')
    return only('GET', request, () => ask(parts, `${rest[0]}/${rest[1]}`, request.query.get('what') ?? 'config'))
  if (
    version === 'v1' &&
    what === 'proxies' &&
    rest.length === 3 &&
    (rest[2] === 'explain' || rest[2] === 'probe' || rest[2] === 'upgrade')
  ) {
    const what = rest[2]
    return only('POST', request, () => askWith(parts, `${rest[0]}/${rest[1]}`, what, request.body))
  }
  return refuse(
    404,
    `there is no ${request.method} /${request.segments.join('/').slice(0, 200)} here; see GET / for what there is`,
  )
}

function only(
  method: string,
  request: ApiRequest,
  answer: () => ApiReply | Promise<ApiReply>,
): ApiReply | Promise<ApiReply> {
  const same = request.method === method || (method === 'GET' && request.method === 'HEAD')
  return same ? answer() : refuse(405, `only ${method} works here, not ${request.method}`)
}

const maxWaitMs = 3_600_000

function applyAndWait(parts: ApiParts, { body, query }: ApiRequest): ApiReply | Promise<ApiReply> {
  const mode = isTrue(query, 'dryRun') ? 'dry-run' : 'write'
  const waitMs = query.get('waitMs')
  if (waitMs === null) return apply(parts, body, mode)
  if (!/^\d{1,7}$/.test(waitMs) || Number(waitMs) > maxWaitMs)
    return refuse(400, `waitMs must be from 0 to ${maxWaitMs}`)
  return apply(parts, body, mode, Number(waitMs))
}

const isTrue = (query: URLSearchParams, name: string): boolean => ['true', '1', ''].includes(query.get(name) ?? 'false')

async function resources(
  parts: ApiParts,
  request: ApiRequest,
  rest: readonly string[],
  clock: Clock,
): Promise<ApiReply> {
  const [kindName, namespace, name] = rest
  if (kindName === undefined || rest.length > 3)
    return refuse(404, 'the path is /v1/resources/KIND or /v1/resources/KIND/NAMESPACE/NAME')
  const kind = findKind(kindName)
  if (kind === undefined) return refuse(404, unknownKind(kindName.slice(0, 60)))
  if (namespace === undefined) {
    if (request.method !== 'GET') return refuse(405, `only GET works on a list, not ${request.method}`)
    return list(parts, request.query, kind, clock)
  }
  if (name === undefined || name === '')
    return refuse(404, 'a resource is /v1/resources/KIND/NAMESPACE/NAME ("-" where a kind has no namespace)')
  const key: ResourceKey = { kind: kind.kind, namespace: kind.namespaced ? namespace : '', name }
  if (request.method === 'DELETE') return remove(parts, key)
  return only('GET', request, async () => {
    const view = await parts.read(key)
    return view === undefined
      ? refuse(404, `${kind.kind} ${key.namespace === '' ? name : `${namespace}/${name}`} does not exist`)
      : ok(view.document)
  })
}

async function list(
  parts: ApiParts,
  query: URLSearchParams,
  { kind, namespaced }: KindInfo,
  clock: Clock,
): Promise<ApiReply> {
  const namespace = query.get('namespace') ?? ''
  const filter = namespaced && namespace !== '' ? { kind, namespace } : { kind }
  if (isTrue(query, 'watch')) return watchResources(parts, filter, query.get('name') ?? undefined, clock)
  const { items, revision } = await parts.list(filter)
  const body: ResourceList = { items: items.map(({ document }) => document), revision }
  return ok(body)
}

const questions: readonly string[] = ['config', 'clusters', 'stats', 'certs'] satisfies readonly ConfigQuestion[]
const isQuestion = (what: string): what is ConfigQuestion => questions.includes(what)

function ask(parts: ApiParts, proxy: string, what: string): Promise<ApiReply> | ApiReply {
  if (!isQuestion(what))
    return refuse(400, `what must be one of ${questions.join(', ')}, not ${JSON.stringify(what.slice(0, 60))}`)
  return answerOf(proxy, parts.ask(proxy, what))
}

/** The other side reads the question: a sidecar alone knows what it can explain, and its agent how it is replaced. */
function askWith(
  parts: ApiParts,
  proxy: string,
  what: 'explain' | 'probe' | 'upgrade',
  body: string,
): Promise<ApiReply> | ApiReply {
  try {
    return answerOf(proxy, parts.ask(proxy, what, JSON.parse(body)))
  } catch {
    return refuse(400, 'the body is not JSON')
  }
}

async function answerOf(proxy: string, answer: ReturnType<ApiParts['ask']>): Promise<ApiReply> {
  const asked = await answer
  if (asked.kind === 'answer') return ok(asked.json)
  if (asked.kind === 'failed') return refuse(503, `${proxy}: ${asked.reason}`)
  return refuse(404, `no proxy ${proxy} is connected; "weft proxies" lists those that are`)
}

async function backUp(parts: ApiParts, { local }: ApiRequest): Promise<ApiReply> {
  if (!local)
    return refuse(
      403,
      'a backup holds the keys of the mesh: it is made over the Unix socket only (weft backup --data-dir DIR)',
    )
  const made = await parts.backUp()
  return 'file' in made ? ok(made) : refuse(422, made.refused)
}

const label = string({
  form: /^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$/,
  expected: 'a name of lower-case letters, digits, "-" and "."',
})
const tokenRequest: Decoder<TokenRequest> = object<TokenRequest>({
  ttlMs: optional(integer({ min: 1000, max: 365 * 86_400_000 })),
  namespace: optional(label),
  serviceAccount: optional(label),
})

async function issueToken(parts: ApiParts, body: string): Promise<ApiReply> {
  let parsed: unknown
  try {
    parsed = body.trim() === '' ? {} : JSON.parse(body)
  } catch {
    return refuse(400, 'the body is not JSON')
  }
  const read = decode(tokenRequest, parsed)
  if ('issues' in read)
    return refuse(
      400,
      read.issues.map(({ path, message }) => (path === '' ? message : `${path}: ${message}`)).join('; '),
    )
  const token = await parts.issueToken(read.value)
  return 'issued' in token ? ok(token.issued) : refuse(422, token.refused)
}
