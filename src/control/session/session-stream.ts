import type { Clock, Timer } from '../../base/clock.ts'
import type { AgentMessage, ControlMessage } from '../../xds/gen/weft/agent/v1/agent_pb.ts'
import { ControlMessageSchema } from '../../xds/gen/weft/agent/v1/agent_pb.ts'
import { create } from '@bufbuild/protobuf'

/** What came back from a sidecar, or why nothing did. */
export type Answered = { readonly json: unknown } | { readonly failed: string }

/** One open Session, after its Hello. */
export interface SessionStream {
  send(message: ControlMessage['message']): void
  /** A question to the sidecar. */
  ask(kind: string, json: unknown, timeoutMs: number): Promise<Answered>
  /** Takes the answer to an earlier question; an unknown id is ignored. */
  answered(answer: Extract<AgentMessage['message'], { case: 'answer' }>['value']): void
  /** Ends the stream properly; questions still open fail with `reason`. */
  end(reason: string): void
}

/** A question beyond these is refused: an agent that does not answer must not fill our memory. */
const openQuestionsLimit = 64

/** `out`: how messages leave. */
export function sessionStream(
  out: { write(message: ControlMessage): unknown; end(): unknown },
  clock: Clock,
): SessionStream {
  const open = new Map<bigint, { settle: (answered: Answered) => void; timer: Timer }>()
  let nextId = 1n
  let ended = false
  const send = (message: ControlMessage['message']): void => {
    if (!ended) out.write(create(ControlMessageSchema, { message }))
  }
  const settle = (id: bigint, answered: Answered): void => {
    const question = open.get(id)
    open.delete(id)
    question?.timer.cancel()
    question?.settle(answered)
  }
  return {
    send,
    ask: (kind, json, timeoutMs) =>
      new Promise((resolve) => {
        if (ended) return resolve({ failed: 'the agent is not connected' })
        if (open.size >= openQuestionsLimit) return resolve({ failed: 'too many questions are open already' })
        const id = nextId++
        const late = { failed: `no answer within ${timeoutMs} ms` }
        open.set(id, { settle: resolve, timer: clock.after(timeoutMs, () => settle(id, late), { background: true }) })
        send({ case: 'request', value: requestOf(id, kind, json) })
      }),
    answered: ({ id, json, error }) => settle(id, error === '' ? readJson(json) : { failed: error }),
    end(reason) {
      if (ended) return
      ended = true
      for (const id of Array.from(open.keys())) settle(id, { failed: reason })
      out.end()
    },
  }
}

const requestOf = (
  id: bigint,
  kind: string,
  json: unknown,
): Extract<ControlMessage['message'], { case: 'request' }>['value'] => ({
  $typeName: 'weft.agent.v1.Request',
  id,
  kind,
  json: json === undefined ? new Uint8Array() : new TextEncoder().encode(JSON.stringify(json)),
})

function readJson(bytes: Uint8Array): Answered {
  try {
    return { json: bytes.length === 0 ? undefined : (JSON.parse(new TextDecoder().decode(bytes)) as unknown) }
  } catch {
    return { failed: 'the answer is not JSON' }
  }
}
