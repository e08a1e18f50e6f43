import { execFileSync } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import { freePort } from '../world/free-port.ts'
import { createWorld, type GatewayInstance, type Workload, type World } from '../world/world.ts'
import { keyOf, type Backend, type Case, type Manifest } from './case.ts'
import { leftOutKinds } from './claims.ts'

const backendProgram = path.join(import.meta.dirname, 'backend.mjs')

/** One instance of a backend. */
export interface Pod {
  readonly workload: Workload
  /** Where its program really listens, by the port that the case speaks of. */
  readonly listens: ReadonlyMap<number, number>
  /** Its certificate is one of the present case's. */
  readonly ofCase: boolean
}

/** A mesh in which cases are run, one after the other: programs and gateways stay, resources go with their case. */
export interface Stage {
  readonly world: World
  readonly apiUrl: string
  /** Of each backend `namespace/name`. */
  readonly pods: Map<string, readonly Pod[]>
  /** Of the present case, as they stand now. */
  readonly manifests: Map<string, Manifest>
  /** By `namespace/name` of the Gateway. */
  readonly gateways: Map<string, GatewayInstance>
  /** Certificates of the present case as files: `<kind>.<namespace>.<name>/`. */
  certificates: string
  readonly folder: string
}

/** A mesh of its own; `close` gives what could not be taken down in order. */
export async function openStage(folder: string): Promise<{ stage: Stage; close: () => Promise<string | undefined> }> {
  const endings: (() => unknown)[] = []
  const world = createWorld({ after: (end) => void endings.push(end as () => unknown), passed: true, diagnostic() {} })
  // A run that is interrupted leaves no folder either.
  const forget = (): void => fs.rmSync(world.dir, { recursive: true, force: true })
  process.once('exit', forget)
  const close = async (): Promise<string | undefined> => {
    try {
      for (const end of endings) await end()
    } catch (error) {
      return sentence(error)
    } finally {
      process.off('exit', forget)
    }
    return undefined
  }
  try {
    const { apiUrl } = await world.up()
    const certificates = path.join(world.dir, 'certificates')
    const stage = { world, apiUrl, pods: new Map(), manifests: new Map(), gateways: new Map(), certificates, folder }
    return { stage, close }
  } catch (error) {
    await close()
    throw error
  }
}

/** What went wrong, for a line of output. */
export const sentence = (error: unknown): string => (error instanceof Error ? error.message : String(error)).trim()

/** Everything that the case needs: certificates, programs, resources, gateways. */
export async function prepare(stage: Stage, one: Case): Promise<void> {
  // Cases call different certificates by one name.
  stage.certificates = path.join(stage.world.dir, `certificates-${one.name}`)
  const secrets = makeCertificates(stage, one)
  const manifests = [...one.manifests, ...missingServices(one), ...secrets].filter(
    ({ kind }) => leftOutKinds[kind] === undefined,
  )
  stage.manifests.clear()
  for (const each of manifests) stage.manifests.set(keyOf(each.kind, each.metadata), each)
  await Promise.all([
    startBackends(stage, one),
    ...gatewaysOf(manifests).map((gateway) => startGateway(stage, gateway)),
    apply(stage, manifests),
  ])
}

/** Base Services of the suite that only a patch of the case speaks of: as those that it has, by their own name. */
function missingServices({ manifests, steps }: Case): readonly Manifest[] {
  const there = new Set(manifests.filter(({ kind }) => kind === 'Service').map(({ metadata }) => metadata.name))
  const [model] = manifests.filter(({ kind }) => kind === 'Service')
  const patches = JSON.stringify(steps.filter(({ type }) => type === 'patch'))
  const named = Array.from(patches.matchAll(/"name":"(infra-backend-v\d)"/g), ([, name = '']) => name)
  return Array.from(new Set(named)).flatMap((name) =>
    model === undefined || there.has(name)
      ? []
      : [{ ...model, metadata: { ...model.metadata, name }, spec: { ...model.spec, selector: { app: name } } }],
  )
}

/** Takes the resources of the case away again, and programs that have its certificates. */
export async function clear(stage: Stage): Promise<void> {
  for (const [key, pods] of stage.pods) {
    if (!pods.some(({ ofCase }) => ofCase)) continue
    stage.pods.delete(key)
    await Promise.all(pods.map(({ workload }) => workload.stop()))
  }
  const token = apiToken(stage)
  for (const { kind, metadata } of [...stage.manifests.values()].toReversed()) {
    const namespace = kind === 'Namespace' || kind === 'GatewayClass' ? '-' : (metadata.namespace ?? 'default')
    const url = `${stage.apiUrl}/v1/resources/${kind}/${namespace}/${metadata.name}`
    await fetch(url, { method: 'DELETE', headers: { authorization: `Bearer ${token}` } })
  }
  stage.manifests.clear()
}

const apiToken = ({ world }: Stage): string => fs.readFileSync(path.join(world.dataDir, 'api.token'), 'utf8').trim()

/** A resource with its status; undefined: it is not there. */
export async function readResource(
  stage: Stage,
  { kind, namespace, name }: { kind: string; namespace?: string; name: string },
): Promise<Readonly<Record<string, unknown>> | undefined> {
  const url = `${stage.apiUrl}/v1/resources/${kind}/${namespace ?? '-'}/${name}`
  const reply = await fetch(url, { headers: { authorization: `Bearer ${apiToken(stage)}` } })
  if (reply.status === 404) return void (await reply.text())
  if (reply.status !== 200) throw new Error(`${url}: ${reply.status} ${await reply.text()}`)
  return (await reply.json()) as Readonly<Record<string, unknown>>
}

/** What stands for what a runner must choose itself. */
function fillIn(stage: Stage, manifest: Manifest): string {
  return JSON.stringify(manifest)
    .replaceAll('__GATEWAY_CLASS__', 'weft')
    .replaceAll('__CONTROLLER_NAME__', 'weft.dev/gateway')
    .replaceAll('PLACEHOLDER_USABLE_ADDRS', '127.0.0.77')
    .replaceAll('PLACEHOLDER_UNUSABLE_ADDRS', '192.0.2.77')
    .replaceAll(/__CA:([^/]+)\/([^_]+)__/g, (_, namespace: string, name: string) =>
      JSON.stringify(certificateFile(stage, { namespace, name, file: 'ca.crt' })).slice(1, -1),
    )
}

/** Writes resources as they are now. */
export async function apply(stage: Stage, manifests: readonly Manifest[]): Promise<void> {
  if (manifests.length === 0) return
  const text = manifests.map((one) => fillIn(stage, one))
  await stage.world.apply(text.join('\n---\n'))
}

interface CertificateFile {
  readonly kind?: string
  readonly namespace: string
  readonly name: string
  readonly file: string
}

/** The place of a part of a certificate of the case. */
export const certificatePath = (
  { certificates }: Stage,
  { kind = 'Secret', namespace, name, file }: CertificateFile,
): string => path.join(certificates, `${kind}.${namespace}.${name}`, file)

/** A CA stands in a ConfigMap or in a Secret. */
function certificateFile(stage: Stage, wanted: CertificateFile): string {
  const places = ['ConfigMap', 'Secret'].map((kind) => certificatePath(stage, { ...wanted, kind }))
  return fs.readFileSync(places.find((place) => fs.existsSync(place)) ?? '', 'utf8')
}

/** By the program that comes with the cases; gives the Secrets and ConfigMaps that hold them. */
function makeCertificates({ certificates, folder, world }: Stage, one: Case): readonly Manifest[] {
  if ((one.certificates ?? []).length === 0) return []
  const file = world.file(`cases/${one.name}.json`, JSON.stringify(one))
  fs.mkdirSync(certificates, { recursive: true })
  execFileSync(process.execPath, [path.join(folder, 'certs.mjs'), certificates, file], { stdio: 'ignore' })
  return JSON.parse(fs.readFileSync(path.join(certificates, 'manifests.json'), 'utf8')) as readonly Manifest[]
}

/** Those that the suite waits for; the others are there for their status alone. */
const gatewaysOf = (manifests: readonly Manifest[]): readonly Manifest[] =>
  manifests.filter(
    ({ kind, metadata }) =>
      kind === 'Gateway' &&
      (metadata.annotations?.['gateway-api/skip-this-for-readiness'] === undefined ||
        metadata.name === 'gateway-static-addresses'),
  )

/** Starts `weft gateway` for it, unless one is there. */
async function startGateway({ world, gateways }: Stage, { metadata }: Manifest): Promise<void> {
  const { namespace = 'default', name } = metadata
  const key = `${namespace}/${name}`
  if (!gateways.has(key)) gateways.set(key, await world.gateway(name, { namespace }))
}

/** The backends that a Service picks or that a step sends from; each as `replicas` instances under `weft run`. */
async function startBackends(stage: Stage, one: Case): Promise<void> {
  const clients = one.steps.flatMap(({ via }) =>
    via?.client === undefined ? [] : [`${via.client.namespace}/${via.client.workload}`],
  )
  const needed = new Set([...Object.values(one.serviceBackends).flat(), ...clients])
  const missing = one.backends.filter(({ namespace, name }) => {
    const key = `${namespace}/${name}`
    return needed.has(key) && !stage.pods.has(key)
  })
  await Promise.all(
    missing.map(async (backend) => {
      const pods = await Promise.all(
        Array.from({ length: backend.replicas }, (_, index) => startPod(stage, backend, index)),
      )
      stage.pods.set(`${backend.namespace}/${backend.name}`, pods)
    }),
  )
}

/** What the backend calls its port for a protocol; those of TLS need a certificate. */
const portVariables: Readonly<Record<string, { readonly name: string; readonly tls?: true }>> = {
  http: { name: 'HTTP_PORT' },
  h2c: { name: 'H2C_PORT' },
  https: { name: 'HTTPS_PORT', tls: true },
  grpc: { name: 'GRPC_PORT' },
  grpcs: { name: 'GRPCS_PORT', tls: true },
  tcp: { name: 'TCP_PORT' },
  tls: { name: 'TLS_PORT', tls: true },
  udp: { name: 'UDP_PORT' },
  dns: { name: 'DNS_PORT' },
}
/** How an instance says what its port speaks. */
const declared: Readonly<Record<string, string>> = { h2c: 'http2', https: 'tcp', grpcs: 'tcp', tls: 'tcp', dns: 'udp' }

async function startPod(stage: Stage, backend: Backend, index: number): Promise<Pod> {
  const { namespace, name, podLabels, tls } = backend
  const ports = await Promise.all(
    backend.ports.flatMap(({ port, protocol }) => {
      const variable = portVariables[protocol]
      if (variable === undefined || (variable.tls && tls === undefined)) return []
      return [freePort().then((free) => ({ port, protocol, variable: variable.name, free }))]
    }),
  )
  // The label `app` is the name of the service that an instance is started for.
  const { app = name, ...labels } = podLabels
  const workload = await stage.world.run(app, {
    namespace,
    port: 0,
    labels: Object.entries(labels).map(([key, value]) => `${key}=${value}`),
    args: [
      '--service-account',
      name,
      ...ports.flatMap(({ port, protocol, free }) => [
        '--port',
        `${protocol}-${port}:${port}=${free}/${declared[protocol] ?? protocol}`,
      ]),
    ],
    command: (report) => [
      process.execPath,
      backendProgram,
      path.join(stage.folder, 'echo.mjs'),
      report,
      'QUIET=1',
      `NAMESPACE=${namespace}`,
      `SERVICE=${backend.serviceName ?? name}`,
      `POD_NAME=${name}-x-${index}`,
      ...ports.map(({ variable, free }) => `${variable}=${free}`),
      ...tlsSettings(stage, tls),
    ],
  })
  return { workload, listens: new Map(ports.map(({ port, free }) => [port, free])), ofCase: tls !== undefined }
}

function tlsSettings(stage: Stage, tls: Backend['tls']): readonly string[] {
  if (tls === undefined) return []
  const { serverCertificate: own, clientCA } = tls
  return [
    `TLS_SERVER_CERT=${certificatePath(stage, { ...own, file: 'tls.crt' })}`,
    `TLS_SERVER_PRIVKEY=${certificatePath(stage, { ...own, file: 'tls.key' })}`,
    ...(clientCA === undefined
      ? []
      : [`TLS_CLIENT_CACERTS=${certificatePath(stage, { ...clientCA, file: 'ca.crt' })}`]),
  ]
}
