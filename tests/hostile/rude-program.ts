import http from 'node:http'
import type { TestContext } from 'node:test'
import type { Address } from '../../src/base/address.ts'
import { program } from '../../src/proxy/testing/world.ts'

/** What the program does to a call, by the call's path. */
export const rudeness = [
  'small',
  'large',
  'chunked',
  'early',
  'reset',
  'broken',
  'silent',
  'late-reset',
  'last',
] as const

const piece = Buffer.alloc(32_768, 'x')

/** A program that answers, and breaks off in each way that a program can. Node's own server. */
export function rudeProgram(t: TestContext): Promise<Address> {
  const server = http.createServer((request, response) => {
    response.on('error', () => {})
    request.on('error', () => {})
    const whole = (answer: () => void): void => void request.resume().on('end', answer)
    const { socket } = request
    switch (request.url?.slice(1)) {
      case 'large':
        return whole(() => response.end(Buffer.alloc(300_000, 'x')))
      case 'chunked':
        return whole(() => {
          response.writeHead(200, { trailer: 'x-sum' })
          response.write(piece)
          response.addTrailers({ 'x-sum': '1' })
          response.end('end')
        })
      case 'early':
        // Before the body has come, which then nobody reads.
        return void response.writeHead(413, { 'content-length': 0 }).end()
      case 'reset':
        return void socket.resetAndDestroy()
      case 'broken':
        response.writeHead(200, { 'content-length': 100_000 })
        return void response.write(piece, () => socket.destroy())
      case 'late-reset':
        response.writeHead(200)
        return void response.write(piece, () => socket.resetAndDestroy())
      case 'silent':
        return
      case 'last':
        return whole(() => response.writeHead(200, { connection: 'close' }).end('last'))
      default:
        return whole(() => response.end('small'))
    }
  })
  return program(t, (socket) => void server.emit('connection', socket))
}
