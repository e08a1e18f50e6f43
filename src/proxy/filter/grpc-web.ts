import type { Body, Sink } from '../http/body.ts'
import type { Fault } from '../http/fault.ts'
import { headerField, headerValue, type HeaderField, type Headers } from '../http/headers.ts'
import { grpcStatusIn, grpcWebType, isFault, type Layer, type Reply } from '../http/service.ts'

/**
 * Lets browsers call a program that speaks gRPC: what they may send of it ("gRPC-Web", binary or base64 text) becomes gRPC, and the
 * trailers of the reply, which no browser shows, its last frame. Other calls pass. Source: grpc PROTOCOL-WEB.md; Envoy's grpc_web filter.
 */
export const grpcWeb: Layer = (next) => (call) => {
  const web = grpcWebType(call)
  if (web === undefined) return next(call)
  const asked = call.headers
  // A browser may send bytes and want text, or the other way round.
  const text = (headerValue(asked, 'accept') ?? web.type).startsWith(`${webType}-text`)
  call.headers = [
    ...asked.filter(({ name }) => name !== 'content-type'),
    headerField('content-type', 'application/grpc'),
  ]
  call.body = web.text ? changed(call.body, fromBase64()) : changed(call.body, asItIs)
  return next(call).then((answer) => {
    // Whoever tells the caller of a fault does so in its own terms.
    call.headers = asked
    if (isFault(answer) || headerValue(answer.headers, 'content-type')?.startsWith('application/grpc') !== true)
      return answer
    return {
      ...answer,
      headers: answer.headers.map((field) => (field.name === 'content-type' ? replyType(text) : field)),
      body:
        answer.body.length === 0 ? answer.body : asFrames(answer, text, (status) => (call.trace.grpcStatus = status)),
    }
  })
}

const webType = 'application/grpc-web'
const replyType = (text: boolean): HeaderField =>
  headerField('content-type', text ? `${webType}-text+proto` : `${webType}+proto`)

/** Bytes for bytes; undefined: they make no sense. `end`: nothing follows. */
type Change = (chunk: Buffer, end: boolean) => Buffer | undefined
const asItIs: Change = (chunk) => chunk

/** In groups of four characters, each of which may be padded: pieces of text stand one behind the other. */
function fromBase64(): Change {
  let carry = ''
  return (chunk, end) => {
    const text = carry + chunk.toString('latin1')
    const whole = text.length - (text.length % 4)
    carry = text.slice(whole)
    if (!/^(?:[A-Za-z0-9+/]{2}(?:[A-Za-z0-9+/]{2}|[A-Za-z0-9+/]=|==))*$/.test(text.slice(0, whole))) return undefined
    if (end && carry !== '') return undefined
    const pieces = text.slice(0, whole).match(/[^=]+=*/g) ?? []
    return Buffer.concat(pieces.map((piece) => Buffer.from(piece, 'base64')))
  }
}

const badText: Fault = {
  kind: 'bad-request',
  side: 'downstream',
  retry: 'never',
  status: 400,
  cause: 'the body is no base64, as application/grpc-web-text is',
}

/** Of unknown length: gRPC has no other. */
const changed = (source: Body, change: Change): Body => ({
  length: source.length === 0 ? 0 : undefined,
  start(sink) {
    const refuse = (): void => {
      source.cancel(badText)
      sink.fail(badText)
    }
    let over = false
    source.start({
      data(chunk) {
        const made = change(chunk, false)
        if (over) return true
        if (made !== undefined) return made.length === 0 || sink.data(made)
        over = true
        refuse()
        return true
      },
      end(trailers) {
        if (over) return
        if (change(noBytes, true) === undefined) sink.fail(badText)
        else sink.end(trailers)
      },
      fail: (fault) => over || sink.fail(fault),
    })
  },
  resume: () => source.resume(),
  cancel: (fault) => source.cancel(fault),
})
const noBytes = Buffer.alloc(0)

/** The reply's frames, and its trailers as one more. */
function asFrames({ body: source }: Reply, text: boolean, told: (status: number | undefined) => void): Body {
  let sink: Sink | undefined
  let waits = false
  const give = (chunk: Buffer): boolean | undefined =>
    sink?.data(text ? Buffer.from(chunk.toString('base64'), 'latin1') : chunk)
  return {
    length: undefined,
    start(to) {
      sink = to
      source.start({
        data: (chunk) => give(chunk) !== false,
        end(trailers) {
          if (trailers !== undefined) told(grpcStatusIn(trailers))
          if (trailers === undefined || give(trailersFrame(trailers)) !== false) sink?.end()
          else waits = true
        },
        fail: (fault) => sink?.fail(fault),
      })
    },
    resume() {
      if (!waits) return source.resume()
      waits = false
      sink?.end()
    },
    cancel(fault) {
      sink = undefined
      source.cancel(fault)
    },
  }
}

/** Source: PROTOCOL-WEB.md: the highest bit of the first byte marks it; the fields stand as in HTTP/1.1. */
function trailersFrame(trailers: Headers): Buffer {
  const fields = Buffer.from(trailers.map(({ name, value }) => `${name}: ${value}\r\n`).join(''), 'latin1')
  const head = Buffer.alloc(5)
  head[0] = 0x80
  head.writeUInt32BE(fields.length, 1)
  return Buffer.concat([head, fields])
}
