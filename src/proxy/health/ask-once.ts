import type { Address } from '../../base/address.ts'
import { bytesBody, type Body } from '../http/body.ts'
import { Exchange } from '../http/exchange.ts'
import type { Fault } from '../http/fault.ts'
import type { Headers } from '../http/headers.ts'
import { grpcStatusIn, isFault, trailersOnlyStatus, type Call, type Peer, type Reply } from '../http/service.ts'

/** What is asked. */
export interface AskHead {
  readonly method: string
  readonly path: string
  readonly authority: string
  readonly headers: Headers
  readonly limitBytes: number
}
/** What came of it. */
export interface Answer {
  readonly status: number
  readonly headers: Headers
  readonly grpcStatus: number | undefined
  readonly body: Buffer
}

const nowhere: Address = { host: '127.0.0.1', port: 0 }
const ourselves: Peer = { remote: nowhere, local: nowhere, principal: undefined, tls: false }

/** How it is asked. */
export interface AskParts {
  /** Sends to where the answer is to come from. */
  readonly send: (call: Call) => Promise<Reply | Fault>
  readonly nowMs: () => number
  /** Called with what breaks it off. */
  readonly onStop: (stop: (fault: Fault) => void) => void
}

/** A call of our own: the whole answer, of its body at most so much. */
export async function askOnce(
  { limitBytes, ...head }: AskHead,
  body: Buffer | Body,
  { send, nowMs, onStop }: AskParts,
): Promise<Answer | Fault> {
  const call = new Exchange(
    { ...head, scheme: 'http', protocol: 'http/1.1', upgrade: undefined },
    Buffer.isBuffer(body) ? bytesBody(body) : body,
    ourselves,
    nowMs(),
  )
  onStop((fault) => call.cancel(fault))
  const answer = await send(call)
  if (isFault(answer)) {
    call.settle({ status: 0, fault: answer })
    return answer
  }
  return new Promise((resolve) => {
    const chunks: Buffer[] = []
    let bytes = 0
    const { status, headers } = answer
    onStop((fault) => {
      answer.body.cancel(fault)
      call.settle({ status, fault })
      resolve(fault)
    })
    answer.body.start({
      data(chunk) {
        if (bytes < limitBytes) chunks.push(chunk)
        bytes += chunk.length
        return true
      },
      end(trailers = []) {
        call.settle({ status, fault: undefined })
        const told = grpcStatusIn(trailers) ?? trailersOnlyStatus(answer)
        resolve({ status, headers, grpcStatus: told, body: Buffer.concat(chunks).subarray(0, limitBytes) })
      },
      fail(fault) {
        call.settle({ status, fault })
        resolve(fault)
      },
    })
  })
}
