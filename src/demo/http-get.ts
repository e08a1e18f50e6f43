import { nodeHttp } from '../base/node-http.ts'

/** Somebody's answer; status 0 when there was none, and the text says why. */
export interface Got {
  readonly status: number
  readonly text: string
}

export interface GetOptions {
  /** A Unix socket; the URL's host is then only a name. */
  readonly socketPath?: string
  readonly timeoutMs?: number
  readonly headers?: Readonly<Record<string, string>>
}

/** One GET on a connection of its own, through no proxy. Never rejects. */
export function httpGet(url: string, { socketPath, timeoutMs = 5000, headers = {} }: GetOptions = {}): Promise<Got> {
  return new Promise((resolve) => {
    const agent = new (nodeHttp().Agent)()
    const where = socketPath === undefined ? {} : { socketPath }
    const request = nodeHttp().get(url, { ...where, agent, headers, timeout: timeoutMs }, (response) => {
      const chunks: Buffer[] = []
      response.on('data', (chunk: Buffer) => void chunks.push(chunk))
      response.on('end', () => resolve({ status: response.statusCode ?? 0, text: Buffer.concat(chunks).toString() }))
      response.on('error', (error) => resolve({ status: 0, text: error.message }))
    })
    request.on('timeout', () => request.destroy(new Error(`no answer within ${timeoutMs} ms`)))
    request.on('error', (error) => resolve({ status: 0, text: error.message }))
    request.on('close', () => agent.destroy())
  })
}

/** The answer as JSON, undefined unless it is a 200 with JSON. The caller knows the other side: it is part of the same build. */
export async function getJson<T>(url: string, options?: GetOptions): Promise<T | undefined> {
  const { status, text } = await httpGet(url, options)
  if (status !== 200) return undefined
  try {
    return JSON.parse(text) as T
  } catch {
    return undefined
  }
}
