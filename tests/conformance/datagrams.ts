import dgram from 'node:dgram'
import { once } from 'node:events'
import type { CurlReply } from '../world/curl.ts'
import type { Request } from './case.ts'

/** A datagram that is lost is sent again with the next try of the step. */
const withinMs = 2_000

/**
 * One datagram from a source of its own. Its answer is put as an HTTP answer would be: the text is the body, and whether it begins with
 * the two bytes that were sent first (the id of a DNS message) the header `same-id`. Status 0: none came.
 */
export async function sendDatagram(
  { payload = '', payloadHex }: Pick<Request, 'payload' | 'payloadHex'>,
  { host, port }: { readonly host: string; readonly port: number },
): Promise<CurlReply> {
  const datagram = payloadHex === undefined ? Buffer.from(payload) : Buffer.from(payloadHex, 'hex')
  const socket = dgram.createSocket('udp4')
  try {
    socket.connect(port, host)
    await once(socket, 'connect')
    socket.send(datagram)
    const [answer] = (await once(socket, 'message', { signal: AbortSignal.timeout(withinMs) })) as [Buffer]
    const same = answer.subarray(0, 2).equals(datagram.subarray(0, 2))
    return { status: 200, headers: { 'same-id': [String(same)] }, body: answer.toString(), error: '' }
  } catch (error) {
    const said = error instanceof Error ? error.message : String(error)
    return { status: 0, headers: {}, body: '', error: `no answer: ${said}` }
  } finally {
    socket.close()
  }
}
