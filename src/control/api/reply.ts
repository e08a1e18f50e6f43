import type { ServerResponse } from 'node:http'
import type { Problem } from '../../base/problem.ts'
import type { ErrorReply } from './contract.ts'

/** An answer as data; `stream` takes the open response over and returns what to do when the client has gone. */
export type ApiReply = WholeReply | { readonly stream: (response: ServerResponse) => () => void }
export type WholeReply =
  | { readonly status: number; readonly json: unknown }
  | { readonly status: number; readonly text: string; readonly type: string }

/** 200 with a JSON body. */
export const ok = (json: unknown): WholeReply => ({ status: 200, json })

/** Any refusal: one sentence for people, and the problems one by one when there are several. */
export function refuse(status: number, error: string, problems?: readonly Problem[]): WholeReply {
  const body: ErrorReply = problems === undefined ? { error } : { error, problems }
  return { status, json: body }
}

/** Writes a whole answer. Never throws: a client that has gone is nobody's fault. */
export function send(response: ServerResponse, reply: WholeReply): void {
  const body = Buffer.from('json' in reply ? `${JSON.stringify(reply.json)}\n` : reply.text)
  const type = 'json' in reply ? 'application/json' : reply.type
  if (response.destroyed || response.headersSent) return
  response.writeHead(reply.status, {
    'content-type': type,
    'content-length': body.length,
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
    ...(reply.status === 401 ? { 'www-authenticate': 'Bearer' } : {}),
  })
  response.end(body)
}
