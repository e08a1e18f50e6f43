import fs from 'node:fs'
import type { CurlReply } from '../world/curl.ts'
import type { Step } from './case.ts'
import { sendDatagram } from './datagrams.ts'
import { callGrpc } from './grpc.ts'
import { callLines, type LineCall } from './lines.ts'
import { certificatePath, readResource, type Stage } from './stage.ts'
import { callWebSocket } from './websocket.ts'

/** The answers, in order, and the URL that was asked. */
export interface Sent {
  readonly url: string
  readonly replies: readonly CurlReply[]
}

/** The same request so many times: from inside of the mesh, or from outside to a gateway. */
export function send(step: Step, stage: Stage, times: number): Promise<Sent> {
  return step.via?.gateway === undefined ? sendInside(step, stage, times) : sendToGateway(step, stage, times)
}

/** By curl (gRPC: by Node's HTTP/2), through the explicit listener of the client's sidecar. */
async function sendInside({ via, request }: Step, { world, pods }: Stage, times: number): Promise<Sent> {
  const [client] = (via?.client && pods.get(`${via.client.namespace}/${via.client.workload}`)) ?? []
  if (client === undefined || via?.target === undefined || request === undefined)
    throw new Error('there is no client or nothing to send')
  if (request.protocol === 'grpc') {
    const { service: called = '', method: name = '', metadata = {} } = request
    const { authority = `${via.target.service ?? ''}:${via.target.port}` } = request
    const call = { authority, path: `/${called}/${name}`, metadata }
    return { url: authority, replies: await callGrpc({ proxy: client.workload.proxy, target: authority }, call, times) }
  }
  if (request.protocol !== 'http/1.1') throw new Error(`the runner does not speak ${request.protocol}`)
  const { port, service = '', pod, namespace } = via.target
  const { path: at = '/', method = 'GET', headers = {}, body } = request
  const [own] = pod === undefined ? [] : (pods.get(`${namespace}/${pod}`) ?? [])
  const listens = own?.listens.get(port)
  if (pod !== undefined && listens === undefined) throw new Error(`the pod ${pod} has no port ${port}`)
  // On one machine a pod's own address is where its program listens.
  const host = listens === undefined ? (request.host ?? service) : `127.0.0.1:${listens}`
  const { connectHost = host } = request
  const named = /:\d+$/.test(connectHost) || port === 80 ? connectHost : `${connectHost}:${port}`
  const url = `http://${named}${at}`
  const replies = await world.curlEach(client.workload, Array<string>(times).fill(url), {
    method,
    headers: [...(connectHost === host ? [] : [`Host: ${host}`]), ...lines(headers)],
    ...(body === undefined ? {} : { body }),
  })
  return { url, replies }
}

const lines = (headers: Readonly<Record<string, string>>): readonly string[] =>
  Object.entries(headers).map(([name, value]) => `${name}: ${value}`)

/** What the status says of where a Gateway is. */
async function addressOf(stage: Stage, gateway: { namespace: string; name: string }): Promise<string> {
  const resource = await readResource(stage, { kind: 'Gateway', ...gateway })
  const { status } = (resource ?? {}) as { status?: { addresses?: readonly { value: string }[] } }
  const [address] = status?.addresses ?? []
  if (address === undefined) throw new Error(`Gateway ${gateway.name} has no address`)
  return address.value
}

/** Versions of HTTP by curl's flags. */
const versions: Readonly<Record<string, readonly string[]>> = {
  'http/1.1': ['--http1.1'],
  h2: ['--http2'],
  h2c: ['--http2-prior-knowledge'],
}

/** Straight to its address and port, as anybody would. */
async function sendToGateway({ via, request }: Step, stage: Stage, times: number): Promise<Sent> {
  if (via?.gateway === undefined || via.port === undefined || request === undefined) throw new Error('nothing to send')
  const { port } = via
  const address = await addressOf(stage, via.gateway)
  const { protocol, host, path: at = '/', method = 'GET', headers = {}, body, tls } = request
  if (protocol === 'grpc') {
    const { service: called = '', method: name = '', metadata = {}, authority = `${address}:${port}` } = request
    const call = { authority, path: `/${called}/${name}`, metadata }
    return { url: authority, replies: await callGrpc({ host: address, port }, call, times) }
  }
  if (protocol === 'websocket') {
    const url = `ws://${address}:${port}${at}`
    return { url, replies: [await callWebSocket(url, request)] }
  }
  if (protocol === 'tcp' || protocol === 'tls') {
    const replies: CurlReply[] = []
    for (let n = 0; n < times; n++) replies.push(await callLines(lineCall(stage, request, { host: address, port })))
    return { url: `${protocol}://${address}:${port}`, replies }
  }
  if (protocol === 'udp') {
    const replies: CurlReply[] = []
    for (let n = 0; n < times; n++) replies.push(await sendDatagram(request, { host: address, port }))
    return { url: `udp://${address}:${port}`, replies }
  }
  const version = versions[protocol]
  if (version === undefined) throw new Error(`the runner does not speak ${protocol}`)
  const secured = tls === undefined ? [] : tlsFlags(stage, tls)
  const named = tls?.serverName ?? address
  const url = `${tls === undefined ? 'http' : 'https'}://${named}:${port}${at}`
  // curl 7.88 fails when it uses a connection of prior knowledge again, whoever the server is.
  const atOnce = protocol === 'h2c' ? 1 : times
  const replies: CurlReply[] = []
  while (replies.length < times) replies.push(...(await ask(atOnce)))
  // What a redirect leads away from is the URL that was meant.
  return { url: `${tls === undefined ? 'http' : 'https'}://${host ?? named}:${port}${at}`, replies }

  function ask(count: number): Promise<readonly CurlReply[]> {
    return stage.world.curlEach(undefined, Array<string>(count).fill(url), {
      method,
      headers: [...(host === undefined ? [] : [`Host: ${host}`]), ...lines(headers)],
      ...(body === undefined ? {} : { body }),
      args: [...(version ?? []), '--connect-to', `::${address}:${port}`, ...secured],
    })
  }
}

function lineCall(
  stage: Stage,
  { protocol, serverName = 'localhost', trust, send: lines = [] }: NonNullable<Step['request']>,
  to: { readonly host: string; readonly port: number },
): LineCall {
  if (protocol === 'tcp') return { ...to, lines }
  const file = trust && certificatePath(stage, { ...trust, file: trust.kind === 'ConfigMap' ? 'ca.crt' : 'tls.crt' })
  return { ...to, lines, serverName, ...(file === undefined ? {} : { ca: fs.readFileSync(file, 'utf8') }) }
}

type Tls = NonNullable<NonNullable<Step['request']>['tls']>
function tlsFlags(stage: Stage, { trust, clientCertificate }: Tls): readonly string[] {
  const file = trust.kind === 'ConfigMap' ? 'ca.crt' : 'tls.crt'
  return [
    '--cacert',
    certificatePath(stage, { ...trust, file }),
    ...(clientCertificate === undefined
      ? []
      : [
          '--cert',
          certificatePath(stage, { ...clientCertificate, file: 'tls.crt' }),
          '--key',
          certificatePath(stage, { ...clientCertificate, file: 'tls.key' }),
        ]),
  ]
}
