import { startChild, runToEnd } from './child.ts'
import { until } from './until.ts'

/** What curl got. Status 0: no answer; `error` says why. */
export interface CurlReply {
  readonly status: number
  /** Lower-case names. */
  readonly headers: Readonly<Record<string, readonly string[]>>
  readonly body: string
  readonly error: string
}

/** How curl is to be called besides its URL. */
export interface CurlOptions {
  /** As `http_proxy` would say it: the explicit listener of a sidecar. */
  readonly proxy?: string
  readonly method?: string
  readonly headers?: readonly string[]
  readonly body?: string
  /** Put before the command line: `ip netns exec NAME`. */
  readonly prefix?: readonly string[]
  readonly args?: readonly string[]
}

interface Place {
  readonly env: Readonly<Record<string, string>>
  readonly cwd: string
}

const commandLine = (url: string, options: CurlOptions, args: readonly string[]): readonly [string, ...string[]] => {
  const { proxy, method, headers = [], body, prefix = [] } = options
  return [
    prefix[0] ?? 'curl',
    ...(prefix.length === 0 ? [] : [...prefix.slice(1), 'curl']),
    '--no-progress-meter',
    '--noproxy',
    '',
    ...(proxy === undefined ? [] : ['--proxy', proxy]),
    ...(method === undefined ? [] : ['--request', method]),
    ...headers.flatMap((header) => ['--header', header]),
    ...(body === undefined ? [] : ['--data-binary', body]),
    ...(options.args ?? []),
    ...args,
    url,
  ]
}

const mark = '\u001e'

/** One request by curl: a client that is not ours. Never fails by itself; look at `status`. */
export async function curl(url: string, options: CurlOptions, place: Place): Promise<CurlReply> {
  const write = `${mark}%{http_code}${mark}%{header_json}`
  const { out, err } = await runToEnd(commandLine(url, options, ['--max-time', '15', '--write-out', write]), place)
  const [body = '', code = '0', json = '{}'] = out.split(mark)
  const headers = json.trim() === '' ? {} : (JSON.parse(json) as Record<string, readonly string[]>)
  return { status: Number(code), headers, body, error: err.trim() }
}

/** One answer for each URL, in order, one request after the other by one curl that keeps its connections. */
export async function curlEach(
  urls: readonly string[],
  options: CurlOptions,
  place: Place,
): Promise<readonly CurlReply[]> {
  const [first = '', ...others] = urls
  const write = `${mark}%{http_code}${mark}%{errormsg}${mark}`
  // The heads as they came: what curl 7.88 makes of them for %{header_json} lacks fields when one is there twice.
  const head = ['--include', '--suppress-connect-headers']
  const args = ['--globoff', '--path-as-is', '--max-time', '15', ...head, '--write-out', write, ...others]
  const { out } = await runToEnd(commandLine(first, options, args), { ...place, withinMs: 60_000 })
  const parts = out.split(mark)
  return urls.map((_, index) => {
    const [text = '', code = '0', error = ''] = parts.slice(3 * index, 3 * index + 3)
    return { status: Number(code), ...parseMessage(text), error }
  })
}

/** Heads and body; of several heads (interim ones first) the last. */
function parseMessage(text: string): Pick<CurlReply, 'headers' | 'body'> {
  const [, head = '', body = text] =
    /^((?:HTTP\/[\d.]+ \d{3}[^\r\n]*\r\n(?:[^\r\n]+\r\n)*\r\n)*)([\s\S]*)$/.exec(text) ?? []
  const last = head.trimEnd().split('\r\n\r\n').at(-1) ?? ''
  const headers: Record<string, string[]> = {}
  for (const line of last.split('\r\n').slice(1)) {
    const colon = line.indexOf(':')
    const values = (headers[line.slice(0, colon).toLowerCase()] ??= [])
    values.push(line.slice(colon + 1).trim())
  }
  return { headers, body }
}

/** A steady stream of requests by one curl, one after the other over connections that it keeps. */
export interface CurlLoad {
  readonly total: number
  /** How often each status came; 0 is "no answer". */
  readonly byStatus: Readonly<Record<number, number>>
  /** How many were not 200. */
  readonly failed: number
  /** Lines of those that were not 200, and what came back with them. */
  readonly failures: readonly string[]
  /** Resolves once this many further requests have been answered. */
  more(count: number): Promise<void>
  stop(): Promise<void>
}

/** GETs `url` at most `ratePerSecond` times a second until stopped. */
export function startCurlLoad(
  url: string,
  options: CurlOptions & { readonly ratePerSecond?: number },
  place: Place,
): CurlLoad {
  // On standard error curl writes each line at once; on a pipe as standard output it would keep 4 KiB back.
  const write = '%{stderr}%{http_code} n=%{urlnum} connects=%{num_connects} %{errormsg}\n'
  const rate = `${options.ratePerSecond ?? 100}/s`
  const args = ['--max-time', '15', '--rate', rate, '--write-out', write]
  const many = `${url}${url.includes('?') ? '&' : '?'}n=[1-1000000]`
  const child = startChild(`curl load on ${url}`, commandLine(many, options, args), place)
  const lines = (): readonly string[] =>
    child.err
      .slice(0, child.err.lastIndexOf('\n') + 1)
      .split('\n')
      .filter((line) => /^\d{3} n=/.test(line))
  return {
    get total() {
      return lines().length
    },
    get byStatus() {
      const counts: Record<number, number> = {}
      for (const line of lines()) {
        const status = Number(line.slice(0, 3))
        counts[status] = (counts[status] ?? 0) + 1
      }
      return counts
    },
    get failed() {
      return lines().filter((line) => !line.startsWith('200 ')).length
    },
    get failures() {
      const failed = lines().filter((line) => !line.startsWith('200 '))
      // What the echo program says is no news; what is left are the sentences of refusals.
      const said = child.out.replaceAll(/\{"name":[^{]*\{[^}]*\},"body":""\}/g, '').trim()
      return failed.length === 0 ? [] : [...failed, said]
    },
    async more(count) {
      const wanted = lines().length + count
      await until(`${wanted} requests answered`, () => lines().length >= wanted, { withinMs: 60_000 })
    },
    async stop() {
      child.signal('SIGINT')
      await child.ended
    },
  }
}
