import grpc from '@grpc/grpc-js'
import assert from 'node:assert/strict'
import http from 'node:http'
import type { AddressInfo } from 'node:net'
import { test, type TestContext } from 'node:test'
import { systemClock } from '../base/clock.ts'
import { performCheck, type ReadinessCheck } from './readiness-check.ts'

const ask = (check: ReadinessCheck, timeoutMs = 1000): Promise<string | undefined> =>
  performCheck(check, { clock: systemClock, timeoutMs, env: { ...process.env, STATE: 'well' }, prefix: [] })

async function serve(t: TestContext, answer: http.RequestListener): Promise<number> {
  const server = http.createServer(answer).listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  t.after(() => {
    server.close()
    server.closeAllConnections()
  })
  return (server.address() as AddressInfo).port
}

test('http: 200 to 399 is ready, anything else says what came', async (t) => {
  const port = await serve(t, ({ url }, response) => {
    if (url === '/silent') return
    response.statusCode = Number(url?.slice(1))
    response.end()
  })
  const at = (path: string) => ask({ kind: 'http', port, path }, 300)
  assert.equal(await at('/200'), undefined)
  assert.equal(await at('/302'), undefined)
  assert.equal(await at('/503'), `GET http://127.0.0.1:${port}/503 was answered with 503`)
  assert.equal(await at('/silent'), `GET http://127.0.0.1:${port}/silent gave no answer within 300 ms`)
  assert.match((await ask({ kind: 'http', port: 1, path: '/' })) ?? '', /failed: ECONNREFUSED/)
})

test('grpc: the health service of a server that is not ours', async (t) => {
  const path = '/grpc.health.v1.Health/Check'
  const identity = (bytes: Buffer): Buffer => bytes
  const server = new grpc.Server()
  const definition = {
    Check: {
      path,
      requestStream: false,
      responseStream: false,
      requestSerialize: identity,
      requestDeserialize: identity,
      responseSerialize: identity,
      responseDeserialize: identity,
    },
  }
  // HealthCheckRequest { service = 1 } and HealthCheckResponse { status = 1 }, byte by byte.
  server.addService(definition, {
    Check(call: grpc.ServerUnaryCall<Buffer, Buffer>, done: grpc.sendUnaryData<Buffer>) {
      const service = call.request.toString('latin1', 2)
      if (service === 'unknown') return done({ code: grpc.status.NOT_FOUND, details: 'unknown' })
      done(null, Buffer.from([0x08, service === 'sick' ? 2 : 1]))
    },
  })
  const port = await new Promise<number>((resolve, reject) =>
    server.bindAsync('127.0.0.1:0', grpc.ServerCredentials.createInsecure(), (error, bound) =>
      error === null ? resolve(bound) : reject(error),
    ),
  )
  t.after(() => server.forceShutdown())
  const of = (service: string) => ask({ kind: 'grpc', port, service })
  assert.equal(await of(''), undefined)
  assert.equal(await of('shop.Orders'), undefined)
  assert.equal(await of('sick'), `the health service on port ${port} says NOT_SERVING`)
  assert.equal(await of('unknown'), `the health service on port ${port} answered with grpc-status 5`)
  const plain = await serve(t, (_, response) => response.end('no gRPC'))
  assert.match((await ask({ kind: 'grpc', port: plain, service: '' })) ?? '', /failed|no answer|none/)
  assert.match((await ask({ kind: 'grpc', port: 1, service: '' })) ?? '', /failed: ECONNREFUSED/)
})

test("exec: the command's status, with the program's environment; one that hangs is ended with all it started", async () => {
  assert.equal(await ask({ kind: 'exec', command: 'test "$STATE" = well' }), undefined)
  assert.equal(await ask({ kind: 'exec', command: 'exit 3' }), 'the command "exit 3" ended with 3')
  assert.match((await ask({ kind: 'exec', command: 'sleep 60 & wait' }, 200)) ?? '', /gave no answer within 200 ms/)
})
