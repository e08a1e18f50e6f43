import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { once } from 'node:events'
import http from 'node:http'
import path from 'node:path'
import { test } from 'node:test'
import tls from 'node:tls'
import { realEnvoy } from '../../src/base/testing/real-envoy.ts'
import { freePort } from '../world/free-port.ts'
import { requires } from '../world/requires.ts'
import { until } from '../world/until.ts'
import { createWorld, type Workload, type World } from '../world/world.ts'

// TCPRoutes and TLSRoutes on a Service: callers' sidecars split connections, by weight and by TLS server name.

const programs = path.join(import.meta.dirname, '../world/programs')
const route = (kind: 'TCPRoute' | 'TLSRoute', name: string, spec: string, namespace = 'default'): string =>
  `---\napiVersion: gateway.networking.k8s.io/v1\nkind: ${kind}\nmetadata: {name: ${name}, namespace: ${namespace}}\nspec: {${spec}}\n`
const onDb = 'parentRefs: [{group: "", kind: Service, name: db, namespace: default, port: 5432}]'
const to = (backends: string): string => `rules: [{backendRefs: [${backends}]}]`

/** Callers beside each kind of proxy, of which all must find the same. */
async function callers(world: World): Promise<readonly Workload[]> {
  const { binary, skip } = realEnvoy()
  const envoy = { port: 0, args: ['--proxy', 'envoy', '--envoy-path', binary] }
  return Promise.all([world.run('client', { port: 0 }), ...(skip === false ? [world.run('envoy-beside', envoy)] : [])])
}

/** What all of them find; several in a row if they differ. */
const agreed = async (all: readonly Workload[], ask: (from: Workload) => Promise<string>): Promise<string> =>
  [...new Set(await Promise.all(all.map(ask)))].join(' or ')

/** A program whose port is declared as raw TCP. */
async function raw(world: World, name: string, command: (port: number, report: string) => string[]): Promise<Workload> {
  const port = await freePort()
  const options = { port: 0, args: ['--port', `sql:5432=${port}/tcp`] }
  return world.run(name, { ...options, command: (report) => [process.execPath, ...command(port, report)] })
}

test('connections to a Service are split by a TCPRoute; a namespace may have its own; what has no backend is closed', async (t) => {
  if (!requires(t, 'curl')) return
  const world = createWorld(t)
  await world.up()
  const echo = (name: string): Promise<Workload> =>
    raw(world, name, (port, report) => [path.join(programs, 'echo.mjs'), name, String(port), report])
  const [clients, guest] = await Promise.all([
    callers(world),
    world.run('guest', { port: 0, namespace: 'guests' }),
    echo('db'),
    echo('db2'),
    echo('db3'),
  ])
  /** Whoever answers: the bytes of HTTP in a tunnel, which nobody looks into. */
  const asked = async (from: Workload): Promise<string> => {
    const { status, body } = await world.curl(from, 'http://db.default:5432/', { args: ['-p'] })
    return status === 200 ? (JSON.parse(body) as { name: string }).name : 'nobody'
  }
  const answers = async (from: Workload): Promise<string> => {
    const names: string[] = []
    for (let n = 0; n < 16; n++) names.push(await asked(from))
    return [...new Set(names)].toSorted((a, b) => (a < b ? -1 : 1)).join(', ')
  }
  await until('it is straight to its own', async () => (await agreed(clients, answers)) === 'db')

  await world.apply(route('TCPRoute', 'split', `${onDb}, ${to('{name: db, port: 5432}, {name: db2, port: 5432}')}`))
  await until('both answer', async () => (await agreed(clients, answers)) === 'db, db2')
  const explained = await world.weft(['explain', '--from', 'client', 'GET', 'http://db:5432/'])
  assert.match(explained.out, /default\/db2\/5432/, explained.err)
  assert.match(explained.out, /TCPRoute default\/split/)

  const grant = `---\napiVersion: gateway.networking.k8s.io/v1\nkind: ReferenceGrant\nmetadata: {name: guests}\nspec: {from: [{group: gateway.networking.k8s.io, kind: TCPRoute, namespace: guests}], to: [{group: "", kind: Service}]}\n`
  await world.apply(
    grant + route('TCPRoute', 'own', `${onDb}, ${to('{name: db3, namespace: default, port: 5432}')}`, 'guests'),
  )
  await until('guests have their own', async () => (await answers(guest)) === 'db3')
  assert.equal(await agreed(clients, answers), 'db, db2', 'and nobody else')

  await world.apply(route('TCPRoute', 'split', `${onDb}, ${to('{name: gone, port: 5432}')}`))
  await until('it is closed', async () => (await agreed(clients, answers)) === 'nobody')
  await world.weft(['delete', 'tcproute', 'split'])
  await until('it is straight again', async () => (await agreed(clients, answers)) === 'db')
})

test('a TLSRoute on a Service goes by the server name, and nothing is decrypted', async (t) => {
  if (!requires(t, 'openssl')) return
  const world = createWorld(t)
  const [key, certificate] = [path.join(world.dir, 'key.pem'), path.join(world.dir, 'certificate.pem')]
  const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '1']
  const made = spawnSync('openssl', ['req', '-x509', ...curve, '-subj', '/CN=db', '-keyout', key, '-out', certificate])
  assert.equal(made.status, 0, String(made.stderr))
  await world.up()
  const named = (name: string): Promise<Workload> =>
    raw(world, name, (port, report) => [
      path.join(programs, 'tls-name.mjs'),
      name,
      String(port),
      key,
      certificate,
      report,
    ])
  const [clients] = await Promise.all([callers(world), named('db'), named('db2')])
  const asked = (servername: string): Promise<string> => agreed(clients, (one) => helloThrough(one, servername))
  await until('it is straight to its own', async () => (await asked('a.example')) === 'db: a.example')
  await world.apply(
    route('TLSRoute', 'names', `${onDb}, hostnames: [b.example], ${to('{name: db2, port: 5432}')}`) +
      route('TCPRoute', 'late', `${onDb}, ${to('{name: db, port: 5432}')}`),
  )
  await until('by name', async () => (await asked('b.example')) === 'db2: b.example')
  await until('other names are closed', async () => (await asked('a.example')) === '')
  const { out } = await world.weft(['get', 'tcproute', 'late', '-o', 'yaml'])
  assert.match(out, /reason: Conflicted/)
  const explained = await world.weft(['explain', '--from', 'client', 'GET', 'https://db:5432/'])
  assert.match(explained.out, /no route is for db \(they are for b\.example\)/, explained.err)
})

/** What the server behind `db:5432` says in TLS, through the caller's sidecar; "" when there is no such connection. */
async function helloThrough({ proxy }: Workload, servername: string): Promise<string> {
  const { hostname, port } = new URL(proxy)
  const request = http.request({ host: hostname, port, method: 'CONNECT', path: 'db:5432', agent: false }).end()
  const [, socket] = (await once(request, 'connect')) as [http.IncomingMessage, import('node:net').Socket]
  const secured = tls.connect({ socket, servername, rejectUnauthorized: false })
  let said = ''
  secured.on('error', () => {})
  secured.on('data', (chunk: Buffer) => (said += chunk.toString()))
  await new Promise((closed) => secured.once('close', closed))
  socket.destroy()
  return said.trim()
}
