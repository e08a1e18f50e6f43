import type http from 'node:http'
import { nodeHttp } from '../../base/node-http.ts'
import type { Problem } from '../../base/problem.ts'
import type { Place } from './place.ts'

/** What came back: the body of a 2xx answer, or one sentence that says what is wrong and what to do. */
export type Answer<T> =
  | { readonly kind: 'value'; readonly value: T }
  | {
      readonly kind: 'failed'
      readonly status: number | undefined
      readonly sentence: string
      readonly problems: readonly Problem[]
    }

/** The HTTP API, as a caller. `T` is what contract.ts says of the route: both sides are of one version, or `version` says so. */
export interface Client {
  get<T>(path: string): Promise<Answer<T>>
  post<T>(path: string, body: string): Promise<Answer<T>>
  remove<T>(path: string): Promise<Answer<T>>
  /** Calls `line` for every line of an endless answer; resolves when the server ends it, or with the failure. */
  follow(path: string, line: (value: unknown) => void): Promise<Answer<undefined>>
}

/** Opens no connection before the first call. */
export function apiClient(place: Exclude<Place, { kind: 'wrong' }>): Client {
  const call = async <T>(method: string, path: string, body = ''): Promise<Answer<T>> => {
    const chunks: Buffer[] = []
    const ended = await request(place, { method, path, body, data: (chunk) => void chunks.push(chunk) })
    return typeof ended === 'number' ? read<T>(place, ended, Buffer.concat(chunks).toString('utf8')) : ended
  }
  return {
    get: (path) => call('GET', path),
    post: (path, body) => call('POST', path, body),
    remove: (path) => call('DELETE', path),
    async follow(path, line) {
      let rest = ''
      let refusal = ''
      const decoder = new TextDecoder()
      const ended = await request(place, {
        method: 'GET',
        path,
        body: '',
        data(chunk, status) {
          if (status !== 200) return void (refusal += decoder.decode(chunk, { stream: true }))
          const lines = (rest + decoder.decode(chunk, { stream: true })).split('\n')
          rest = lines.pop() ?? ''
          for (const one of lines) line(JSON.parse(one))
        },
      })
      if (typeof ended !== 'number') return ended
      return ended === 200 ? { kind: 'value', value: undefined } : read(place, ended, refusal)
    },
  }
}

interface Call {
  readonly method: string
  readonly path: string
  readonly body: string
  readonly data: (chunk: Buffer, status: number) => void
}
type Failed = Extract<Answer<never>, { kind: 'failed' }>

/** The status, once the whole answer has gone to `data`. */
function request(
  place: Exclude<Place, { kind: 'wrong' }>,
  { method, path, body, data }: Call,
): Promise<number | Failed> {
  return new Promise((resolve) => {
    const where = place.kind === 'socket' ? { socketPath: place.socketPath } : new URL(path, place.url)
    const token = place.kind === 'url' ? place.token : undefined
    const headers = {
      'content-length': Buffer.byteLength(body),
      ...(place.kind === 'socket' ? { host: 'localhost' } : {}),
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
    }
    const options: http.RequestOptions = { method, headers, agent: false }
    const answered = (response: http.IncomingMessage): void => {
      response.on('data', (chunk: Buffer) => data(chunk, response.statusCode ?? 0))
      response.on('end', () => resolve(response.statusCode ?? 0))
      response.on('error', (error) => resolve(unreachable(place, error)))
    }
    const outgoing =
      where instanceof URL
        ? nodeHttp().request(where, options, answered)
        : nodeHttp().request({ ...where, ...options, path }, answered)
    outgoing.on('error', (error) => resolve(unreachable(place, error)))
    outgoing.end(body)
  })
}

function read<T>(place: Place, status: number, text: string): Answer<T> {
  let body: unknown
  try {
    body = JSON.parse(text)
  } catch {
    return failed(`the answer of ${nameOf(place)} is no JSON: is that a Weft control plane?`, status)
  }
  // Trusted: it comes from the control plane that this user chose.
  if (status >= 200 && status < 300) return { kind: 'value', value: body as T }
  const { error, problems } = body as { error?: string; problems?: readonly Problem[] }
  const hint = status === 401 ? ' (set WEFT_API_TOKEN, or --data-dir so that api.token is found)' : ''
  return failed(`${error ?? `the control plane answered ${status}`}${hint}`, status, problems)
}

const failed = (sentence: string, status?: number, problems: readonly Problem[] = []): Failed => ({
  kind: 'failed',
  status,
  sentence,
  problems,
})

const nameOf = (place: Place): string =>
  place.kind === 'socket' ? place.dataDir : place.kind === 'url' ? place.url.origin : 'that place'

function unreachable(place: Exclude<Place, { kind: 'wrong' }>, error: Error): Failed {
  const { code } = error as NodeJS.ErrnoException
  if (place.kind === 'url') return failed(`no control plane at ${place.url.origin} (${error.message})`)
  if (code === 'EACCES' || code === 'EPERM')
    return failed(`${place.dataDir} belongs to another user; run this as that user, or use --server with a token`)
  if (code === 'ENOENT' || code === 'ECONNREFUSED' || code === 'ENOTSOCK') {
    const flag = place.isDefault ? '' : ` --data-dir ${place.dataDir}`
    return failed(`no control plane at ${place.dataDir}; start one with: weft up${flag}`)
  }
  return failed(`the control plane at ${place.dataDir} went away (${error.message})`)
}
