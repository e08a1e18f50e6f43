import net from 'node:net'
import tls from 'node:tls'
import type { ResourceList } from '../../control/api/contract.ts'
import { edges, takeReading } from '../figures.ts'
import { httpGet } from '../http-get.ts'
import type { World } from '../world.ts'
import { allOf, type Check } from './verdict.ts'
import { instanceOf, visit } from './visits.ts'

/** Encrypted and authenticated between sidecars, authorized by identity, closed to whoever has none. */
export const security: Check = {
  title: 'security',
  async verify(world) {
    const all = edges(await takeReading(world.instances(), world.clock))
    const calls = all.reduce((sum, edge) => sum + edge.calls, 0)
    const encrypted = all.reduce((sum, edge) => sum + edge.encrypted, 0)
    const allowed = await visit(instanceOf(world, 'storefront'), 'orders', 10)
    const denied = await httpGet(`http://127.0.0.1:${instanceOf(world, 'reviews').port}/call/orders`)
    const inbound = await inboundOf(world, 'ratings')
    const plain = await askPlainly(inbound)
    const stranger = await askAsStranger(inbound)
    return allOf([
      [calls > 0 && encrypted === calls, `${encrypted} of ${calls} calls on ${all.length} edges went over mutual TLS`],
      [allowed.ok === 10, `storefront → orders ${allowed.ok}/10`],
      [denied.status === 403, `reviews → orders ${denied.status} (${denied.text.trim().slice(0, 160)})`],
      [!plain.served, `plain text to a sidecar under STRICT: ${plain.what}`],
      [!stranger.served, `TLS without a certificate: ${stranger.what}`],
      [stranger.identity.startsWith('spiffe://'), `the sidecar shows ${stranger.identity || 'no identity'}`],
    ])
  },
}

interface Inbound {
  readonly address: string
  readonly port: number
}

/** Where the sidecar of some instance of `service` listens. */
async function inboundOf(world: World, service: string): Promise<Inbound> {
  const list = await world.api<ResourceList>('/v1/resources/workloads?namespace=default')
  const items = (list?.items ?? []) as readonly {
    spec?: { service?: string; ports?: readonly { inbound?: Inbound }[] }
  }[]
  const inbound = items.find(({ spec }) => spec?.service === service)?.spec?.ports?.[0]?.inbound
  if (inbound === undefined) throw new Error(`no workload of ${service} has an inbound listener`)
  return inbound
}

const request = 'GET / HTTP/1.1\r\nhost: ratings\r\nconnection: close\r\n\r\n'
const timeoutMs = 3000

function askPlainly({ address, port }: Inbound): Promise<{ served: boolean; what: string }> {
  return new Promise((resolve) => {
    const socket = net.connect(port, address, () => socket.write(request))
    listen(socket, (text, error) => resolve(judge(text, error)))
  })
}

/** Also says whose certificate the sidecar showed. */
function askAsStranger({ address, port }: Inbound): Promise<{ served: boolean; what: string; identity: string }> {
  return new Promise((resolve) => {
    let identity = ''
    const ALPNProtocols = ['weft', 'http/1.1']
    // Looked at, not believed: a stranger has no trust bundle.
    const socket = tls.connect({ host: address, port, ALPNProtocols, rejectUnauthorized: false }, () => {
      identity = socket.getPeerCertificate().subjectaltname?.replace(/^URI:/, '') ?? ''
      socket.write(request)
    })
    listen(socket, (text, error) => resolve({ ...judge(text, error), identity }))
  })
}

function listen(socket: net.Socket, done: (text: string, error: string) => void): void {
  let text = ''
  let reason = ''
  socket.setTimeout(timeoutMs, () => socket.destroy(new Error('no answer')))
  socket.on('data', (chunk: Buffer) => (text += chunk.toString('latin1')))
  socket.on('error', (error: NodeJS.ErrnoException) => (reason = error.code ?? error.message))
  socket.on('close', () => done(text, reason))
}

function judge(text: string, error: string): { served: boolean; what: string } {
  const status = /^HTTP\/1\.\d (\d{3})/.exec(text)?.[1]
  if (status === '200') return { served: true, what: 'answered with 200' }
  return { served: false, what: status === undefined ? `closed (${error || 'no answer'})` : `refused with ${status}` }
}
