// A server of gRPC as @grpc/grpc-js makes one; what it does is what server.py does. Knows nothing of Weft.
//   node server.mjs NAME PORT REPORT
import fs from 'node:fs'
import grpc from '@grpc/grpc-js'

const [name, port, report] = process.argv.slice(2)
let begun = 0
let cancelled = 0

const bytes = { serialize: (value) => value, deserialize: (value) => value }
const method = (path, requestStream, responseStream) => ({
  path: `/weft.Interop/${path}`,
  requestStream,
  responseStream,
  requestSerialize: bytes.serialize,
  requestDeserialize: bytes.deserialize,
  responseSerialize: bytes.serialize,
  responseDeserialize: bytes.deserialize,
})
const service = {
  Unary: method('Unary', false, false),
  Collect: method('Collect', true, false),
  Count: method('Count', false, true),
  Chat: method('Chat', true, true),
  Fail: method('Fail', false, false),
  Slow: method('Slow', false, false),
  Cancelled: method('Cancelled', false, false),
}
const text = (value) => Buffer.from(String(value))
const trailing = () => {
  const metadata = new grpc.Metadata()
  metadata.set('x-trailing-bin', Buffer.from([0, 255]))
  return metadata
}

const server = new grpc.Server({ 'grpc.max_receive_message_length': 8_000_000 })
server.addService(service, {
  Unary(call, done) {
    const initial = new grpc.Metadata()
    initial.set('x-initial', `${name} ${call.metadata.get('x-in').join()}`)
    call.sendMetadata(initial)
    done(null, call.request, trailing())
  },
  Collect(call, done) {
    let count = 0
    let size = 0
    call.on('data', (message) => {
      count++
      size += message.length
    })
    call.on('end', () => done(null, text(`${count} ${size}`), trailing()))
  },
  Count(call) {
    for (let n = 0; n < Number(call.request); n++) call.write(text(n))
    call.end(trailing())
  },
  Chat(call) {
    call.on('data', (message) => call.write(message))
    call.on('end', () => call.end(trailing()))
  },
  Fail: (_call, done) => done({ code: grpc.status.FAILED_PRECONDITION, details: 'öre 100 %' }),
  Slow(call, done) {
    begun++
    const timer = setTimeout(() => done(null, text('late')), 60_000)
    call.on('cancelled', () => {
      cancelled++
      clearTimeout(timer)
    })
  },
  Cancelled: (_call, done) => done(null, text(`${cancelled} of ${begun}`)),
})
server.bindAsync(`127.0.0.1:${port}`, grpc.ServerCredentials.createInsecure(), (error) => {
  if (error) throw error
  fs.writeFileSync(`${report}.new`, JSON.stringify({ pid: process.pid, env: process.env }))
  fs.renameSync(`${report}.new`, report)
})
