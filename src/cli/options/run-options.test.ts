import assert from 'node:assert/strict'
import { test } from 'node:test'
import { readRunOptions, type RunFlags } from './run-options.ts'
import { readUpOptions } from './up-options.ts'

const command = ['node', 'server.js']
const options = (flags: Partial<RunFlags>) => {
  const read = readRunOptions({ service: 'web', ...flags }, command)
  assert.ok('options' in read, JSON.stringify(read))
  return read.options
}
const problems = (flags: Partial<RunFlags>, of: readonly string[] = command): string => {
  const read = readRunOptions({ service: 'web', ...flags }, of)
  assert.ok('problems' in read, JSON.stringify(read))
  return read.problems.join('\n')
}

test('--port is [NAME:][SERVICEPORT=]PORT[/PROTOCOL]', () => {
  const [plain] = options({ port: ['8080'] }).ports
  assert.deepEqual(plain, { servicePort: 8080, targetPort: 8080 })
  const { ports } = options({ port: ['http:80=8080/http', 'admin:81=8081', '50051/grpc'] })
  assert.deepEqual(ports, [
    { name: 'http', servicePort: 80, targetPort: 8080, protocol: 'http' },
    { name: 'admin', servicePort: 81, targetPort: 8081 },
    { servicePort: 50051, targetPort: 50051, protocol: 'grpc' },
  ])
})

test('what makes no sense is named, all of it', () => {
  const said = problems({
    port: ['x', '0', '99999', '80/mqtt', '80', '80=81'],
    label: ['novalue'],
    capture: 'root',
    inbound: ['other=127.0.0.1:1', 'nowhere'],
    admin: 'no port',
    locality: 'eu/',
  })
  assert.match(said, /not "x"/)
  assert.match(said, /from 1 to 65535/)
  assert.match(said, /http, http2, grpc, tcp or udp, not "mqtt"/)
  assert.match(said, /service port 80 is given twice/)
  assert.match(said, /KEY=VALUE, not "novalue"/)
  assert.match(said, /auto, namespace, host or explicit, not "root"/)
  assert.match(said, /no --port is called that/)
  assert.match(said, /--locality is "region\/zone\/sub-zone", such as "eu\/eu-1", not "eu\/"/)
  assert.match(said, /--admin wants HOST:PORT/)
  assert.match(problems({}, []), /after --/)
})

test('--inbound and --admin take addresses, and defaults are filled in', () => {
  const read = options({
    port: ['http:80=8080'],
    inbound: ['http=0.0.0.0:15006'],
    admin: '15000',
    label: ['version=v2'],
  })
  assert.deepEqual(read.inbound, [{ port: 'http', address: { host: '0.0.0.0', port: 15006 } }])
  assert.deepEqual(read.admin, { host: '127.0.0.1', port: 15000 })
  assert.deepEqual(read.labels, { version: 'v2' })
  assert.equal(read.namespace, 'default')
  assert.equal(read.capture, 'auto')
  assert.deepEqual(read.command, command)
})

test('up binds loopback unless it is told to advertise', () => {
  const read = (flags: Parameters<typeof readUpOptions>[0]) => {
    const result = readUpOptions(flags)
    assert.ok('options' in result)
    return result.options
  }
  assert.deepEqual(read({}), { xds: '127.0.0.1:15012', api: '127.0.0.1:15080', store: 'sqlite', files: [] })
  assert.equal(read({ advertise: '192.0.2.1' }).xds, '192.0.2.1:15012')
  assert.equal(read({ advertise: 'mesh.example' }).xds, '0.0.0.0:15012')
  assert.equal(read({ advertise: '192.0.2.1' }).api, '127.0.0.1:15080')
  assert.ok('problems' in readUpOptions({ xds: 'nowhere', store: 'etcd' }))
})
