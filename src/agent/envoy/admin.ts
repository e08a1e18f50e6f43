import { text } from 'node:stream/consumers'
import { nodeHttp } from '../../base/node-http.ts'
import type { Address } from '../../base/address.ts'
import type { Clock } from '../../base/clock.ts'

/** Envoy's admin interface. */
export interface EnvoyAdmin {
  /** The body of a 200; undefined for anything else, or none in time. */
  get(path: string): Promise<string | undefined>
  /** The same, read as JSON. */
  json(path: string): Promise<unknown>
  /** What changes something. */
  post(path: string): Promise<boolean>
}

const timeoutMs = 3000

/** Asks over a connection for each question: they are rare. */
export function envoyAdmin({ host, port }: Address, clock: Clock): EnvoyAdmin {
  const ask = (method: string, path: string): Promise<string | undefined> =>
    new Promise((resolve) => {
      const request = nodeHttp().request({ host, port, path, method, agent: false }, (reply) => {
        void text(reply).then(
          (body) => resolve(reply.statusCode === 200 ? body : undefined),
          () => resolve(undefined),
        )
      })
      const late = clock.after(timeoutMs, () => request.destroy(new Error('late')), { background: true })
      request.once('error', () => resolve(undefined))
      request.once('close', () => late.cancel())
      request.end()
    })
  const get = (path: string): Promise<string | undefined> => ask('GET', path)
  return {
    get,
    async json(path) {
      try {
        return JSON.parse((await get(path)) ?? 'null') as unknown
      } catch {
        return undefined
      }
    },
    post: async (path) => (await ask('POST', path)) !== undefined,
  }
}
