import http, { type IncomingHttpHeaders } from 'node:http'

/** One request of a steady load. */
export interface Visit {
  /** When it was sent, ms of `performance.now`. */
  readonly sentMs: number
  /** From sending to the reply's last byte, or to the failure. */
  readonly tookMs: number
  /** 200, another status with its body, or why there was no answer. */
  readonly outcome: '200' | (string & {})
  /** What `tell` made of a 200; else "". */
  readonly told: string
}

/** A reply with its whole body. */
export interface WholeReply {
  readonly headers: IncomingHttpHeaders
  readonly body: string
}

/** Requests at a fixed rate, however long the answers take. */
export interface SteadyLoad {
  readonly visits: readonly Visit[]
  /** Those that were not answered with 200, for messages. */
  failures(): readonly string[]
  /** Resolves when this many more have been answered. */
  more(count: number): Promise<void>
  /** Sends no more, and waits for those under way. */
  stop(): Promise<void>
}

/** By Node's own client on connections that it keeps, through `proxy` (absolute-form requests), or straight to the URL without. */
export function startSteadyLoad(
  url: string,
  {
    proxy,
    ratePerSecond,
    firstAfterMs = 0,
    method = 'GET',
    tell = () => '',
  }: {
    proxy?: string
    ratePerSecond: number
    /** Several that are started together should not send together. */
    firstAfterMs?: number
    method?: string
    /** What is to be noted of every reply with status 200. */
    tell?: (reply: WholeReply) => string
  },
): SteadyLoad {
  const agent = new http.Agent({ keepAlive: true })
  const target = new URL(url)
  const via = proxy === undefined ? target : new URL(proxy)
  const visits: Visit[] = []
  const underWay = new Set<Promise<void>>()
  const waiting: { at: number; resolve: () => void }[] = []

  const visit = (): Promise<void> =>
    new Promise((resolve) => {
      const sentMs = performance.now()
      const over = (outcome: string, told = ''): void => {
        visits.push({ sentMs, tookMs: performance.now() - sentMs, outcome, told })
        for (const one of waiting) if (visits.length >= one.at) one.resolve()
        resolve()
      }
      const request = http.request(
        {
          agent,
          method,
          host: via.hostname,
          port: via.port,
          path: proxy === undefined ? target.pathname : url,
          headers: { host: target.host },
          timeout: 20_000,
        },
        (response) => {
          let body = ''
          response.setEncoding('utf8').on('data', (text: string) => void (body += text))
          response.on('end', () => {
            if (response.statusCode === 200) over('200', tell({ headers: response.headers, body }))
            else over(`${response.statusCode} ${body}`)
          })
          response.on('error', (error) => over(`broken off: ${error.message}`))
        },
      )
      request.on('timeout', () => request.destroy(new Error('no answer for 20 s')))
      request.on('error', (error) => over(`no answer: ${error.message}`))
      request.end()
    })

  const startMs = performance.now() + firstAfterMs
  let sent = 0
  const timer = setInterval(() => {
    for (; sent < ((performance.now() - startMs) * ratePerSecond) / 1000; sent++) {
      const one = visit().finally(() => underWay.delete(one))
      underWay.add(one)
    }
  }, 2)
  return {
    visits,
    failures: () =>
      visits.filter(({ outcome }) => outcome !== '200').map(({ sentMs, outcome }) => `${sentMs.toFixed(0)} ${outcome}`),
    more: (count) => new Promise((resolve) => waiting.push({ at: visits.length + count, resolve })),
    async stop() {
      clearInterval(timer)
      await Promise.all(underWay)
      agent.destroy()
    },
  }
}
