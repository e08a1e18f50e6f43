// A gRPC program that answers every unary call with the message that it got. Says where it listens.
import http2 from 'node:http2'

const server = http2.createServer()
server.on('stream', (stream) => {
  const pieces = []
  stream.on('error', () => {})
  stream.on('data', (piece) => pieces.push(piece))
  stream.on('end', () => {
    stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true })
    stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }))
    stream.end(Buffer.concat(pieces))
  })
})
server.listen(Number(process.argv[2]), '127.0.0.1')
