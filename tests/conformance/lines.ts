import { once } from 'node:events'
import net from 'node:net'
import { createInterface } from 'node:readline'
import tls from 'node:tls'
import type { CurlReply } from '../world/curl.ts'

const withinMs = 10_000

/** A connection that says lines and hears as many; over TLS when a server name is given. */
export interface LineCall {
  readonly host: string
  readonly port: number
  readonly serverName?: string
  /** PEM; absent: nobody is asked who it is. */
  readonly ca?: string
  readonly lines: readonly string[]
}

/**
 * What the TCP backend of the suite answers, put as an HTTP answer would be: what it says of itself to TEST is the body, what it says
 * to IS_TLS the header `is-tls`. Status 0: no connection, or it broke.
 */
export async function callLines({ host, port, serverName, ca, lines }: LineCall): Promise<CurlReply> {
  const socket =
    serverName === undefined
      ? net.connect({ host, port })
      : tls.connect({ host, port, servername: serverName, ca, rejectUnauthorized: ca !== undefined })
  const headers: Record<string, string[]> = {}
  let body = ''
  let error = 'the connection was closed'
  socket.on('error', (reason) => (error = reason.message))
  const late = setTimeout(() => socket.destroy(new Error('no answer in time')), withinMs)
  const answers = createInterface({ input: socket })[Symbol.asyncIterator]()
  try {
    await once(socket, serverName === undefined ? 'connect' : 'secureConnect')
    const welcome = await answers.next()
    if (welcome.done === true) return { status: 0, headers, body, error }
    for (const line of lines) {
      socket.write(`${line}\n`)
      const answer = await answers.next()
      if (answer.done === true) return { status: 0, headers, body, error }
      if (line === 'TEST') body = answer.value
      if (line === 'IS_TLS') headers['is-tls'] = [answer.value]
    }
    return { status: 200, headers, body, error: '' }
  } catch (reason) {
    return { status: 0, headers, body, error: reason instanceof Error ? reason.message : String(reason) }
  } finally {
    clearTimeout(late)
    socket.destroy()
  }
}
