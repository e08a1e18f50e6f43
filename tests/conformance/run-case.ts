import { randomUUID } from 'node:crypto'
import fs from 'node:fs'
import path from 'node:path'
import { freePort } from '../world/free-port.ts'
import { until } from '../world/until.ts'
import { createWorld, type Workload, type World } from '../world/world.ts'
import { leftOutKinds, passedThrough } from './claims.ts'
import type { Backend, Case, Manifest, Step } from './case.ts'
import { callGrpc } from './grpc.ts'
import { backendOf, firstDifference, shareDifference } from './compare.ts'

const backendProgram = path.join(import.meta.dirname, 'backend.mjs')
/** Until a step's answers fit. Upstream waits 30 s. */
const stepMs = 15_000
/** So many answers in a row must fit, as upstream has it. */
const inARow = 3

/** Runs one case in a world of its own. The first difference, or undefined: passed. Nothing is left behind. */
export async function runCase(one: Case, folder: string): Promise<string | undefined> {
  const endings: (() => unknown)[] = []
  const world = createWorld({
    after: (end) => void endings.push(end as () => unknown),
    passed: true,
    diagnostic() {},
  })
  // A run that is interrupted leaves no folder either.
  const forget = (): void => fs.rmSync(world.dir, { recursive: true, force: true })
  process.once('exit', forget)
  let difference: string | undefined
  try {
    difference = await runIn(world, one, folder)
  } catch (error) {
    difference = sentence(error)
  }
  try {
    for (const end of endings) await end()
  } catch (error) {
    difference ??= sentence(error)
  }
  process.off('exit', forget)
  return difference
}

const sentence = (error: unknown): string => (error instanceof Error ? error.message : String(error)).trim()

async function runIn(world: World, one: Case, folder: string): Promise<string | undefined> {
  await world.up()
  const manifests = one.manifests.filter(({ kind }) => leftOutKinds[kind] === undefined)
  const [pods] = await Promise.all([
    startBackends(world, one, folder),
    manifests.length === 0 ? undefined : apply(world, manifests),
  ])
  const stage: Stage = {
    world,
    pods,
    manifests: new Map(manifests.map((each) => [keyOf(each.kind, each.metadata), each])),
  }
  for (const step of one.steps) {
    const difference = await runStep(step, stage)
    if (difference !== undefined) return `${step.name ?? step.type}: ${difference}`
  }
  return undefined
}

/** One instance of a backend. */
interface Pod {
  readonly workload: Workload
  /** Where its program really listens, by the port that the case speaks of. */
  readonly listens: ReadonlyMap<number, number>
}

/** What the steps of a case share. */
interface Stage {
  readonly world: World
  /** First pod of each backend `namespace/name`. */
  readonly pods: ReadonlyMap<string, Pod>
  readonly manifests: Map<string, Manifest>
}

const keyOf = (kind: string, { namespace = 'default', name }: { namespace?: string; name: string }): string =>
  `${kind}/${namespace}/${name}`

/** The backends that a Service picks or that a step sends from; each as `replicas` instances under `weft run`. */
async function startBackends(world: World, one: Case, folder: string): Promise<ReadonlyMap<string, Pod>> {
  const clients = one.steps.flatMap(({ via }) =>
    via?.client === undefined ? [] : [`${via.client.namespace}/${via.client.workload}`],
  )
  const needed = new Set([...Object.values(one.serviceBackends).flat(), ...clients])
  const pods = new Map<string, Pod>()
  await Promise.all(
    one.backends
      .filter(({ namespace, name }) => needed.has(`${namespace}/${name}`))
      .flatMap((backend) =>
        Array.from({ length: backend.replicas }, async (_, index) => {
          const pod = await startPod(world, backend, index, path.join(folder, 'echo.mjs'))
          if (index === 0) pods.set(`${backend.namespace}/${backend.name}`, pod)
        }),
      ),
  )
  return pods
}

/** What the backend calls its port for a protocol. TLS ports need certificates, which no case of the mesh has. */
const portVariables: Readonly<Record<string, string>> = {
  http: 'HTTP_PORT',
  h2c: 'H2C_PORT',
  grpc: 'GRPC_PORT',
  tcp: 'TCP_PORT',
}

async function startPod(world: World, backend: Backend, index: number, echo: string): Promise<Pod> {
  const { namespace, name, podLabels } = backend
  const ports = await Promise.all(
    backend.ports.flatMap(({ port, protocol }) => {
      const variable = portVariables[protocol]
      return variable === undefined ? [] : [freePort().then((free) => ({ port, protocol, variable, free }))]
    }),
  )
  // The label `app` is the name of the service that an instance is started for.
  const { app = name, ...labels } = podLabels
  const workload = await world.run(app, {
    namespace,
    port: 0,
    labels: Object.entries(labels).map(([key, value]) => `${key}=${value}`),
    args: [
      '--service-account',
      name,
      ...ports.flatMap(({ port, protocol, free }) => [
        '--port',
        `${protocol}-${port}:${port}=${free}/${protocol === 'h2c' ? 'http2' : protocol}`,
      ]),
    ],
    command: (report) => [
      process.execPath,
      backendProgram,
      echo,
      report,
      'QUIET=1',
      `NAMESPACE=${namespace}`,
      `SERVICE=${backend.serviceName ?? name}`,
      `POD_NAME=${name}-x-${index}`,
      ...ports.map(({ variable, free }) => `${variable}=${free}`),
    ],
  })
  return { workload, listens: new Map(ports.map(({ port, free }) => [port, free])) }
}

async function apply(world: World, manifests: readonly Manifest[]): Promise<void> {
  const text = manifests.map((one) => JSON.stringify(one.kind === 'Service' ? withKnownProtocols(one) : one))
  await world.apply(text.join('\n---\n'))
}

interface ServicePort {
  readonly name?: string
  readonly appProtocol?: string
}

/** Ports of protocols that are not routed yet are declared as raw TCP; the others stay as they are. */
function withKnownProtocols(service: Manifest): Manifest {
  const ports = (service.spec?.['ports'] ?? []) as readonly ServicePort[]
  const known = ports.map((port) => {
    const declared = port.appProtocol ?? /^[a-z0-9]+/.exec(port.name ?? '')?.[0] ?? ''
    return passedThrough[declared] === undefined ? port : { ...port, appProtocol: 'tcp' }
  })
  return { ...service, spec: { ...service.spec, ports: known } }
}

/** The first difference that is left when the time is over; undefined: the step holds. */
async function runStep(step: Step, stage: Stage): Promise<string | undefined> {
  const { world, manifests } = stage
  switch (step.type) {
    case 'request':
      return inTime(async () => differenceOf(step, stage, inARow))
    case 'sample':
      return differenceOf(step, stage, step.count ?? 1)
    case 'distribution':
      return distribution(step, stage)
    case 'sleep':
      await new Promise((resolve) => setTimeout(resolve, step.ms ?? 0))
      return undefined
    case 'apply':
      if (step.manifest === undefined) return 'nothing to apply'
      manifests.set(keyOf(step.manifest.kind, step.manifest.metadata), step.manifest)
      await apply(world, [step.manifest])
      return undefined
    case 'patch': {
      const key = step.resource && keyOf(step.resource.kind, step.resource)
      const before = key && manifests.get(key)
      if (key === undefined || before === undefined || before === '') return 'the resource to patch is not in the case'
      const after = mergePatch(before, step.mergePatch) as Manifest
      manifests.set(key, after)
      await apply(world, [after])
      return undefined
    }
    case 'delete': {
      const { kind, name, namespace = 'default' } = step.resource ?? { kind: '', name: '' }
      const { status, out, err } = await world.weft(['delete', kind.toLowerCase(), name, '--namespace', namespace])
      return status === 0 ? undefined : `weft delete: ${out}${err}`
    }
    default:
      return `the runner has no step ${step.type}`
  }
}

/** Tries until there is no difference, at most `stepMs`; the last one otherwise. */
async function inTime(attempt: () => Promise<string | undefined>): Promise<string | undefined> {
  let difference: string | undefined
  try {
    await until('', async () => (difference = await attempt()) === undefined, { withinMs: stepMs })
    return undefined
  } catch (error) {
    return difference ?? sentence(error)
  }
}

async function differenceOf(step: Step, stage: Stage, times: number): Promise<string | undefined> {
  const fresh = JSON.parse(JSON.stringify(step).replaceAll('__UUID__', randomUUID())) as Step
  const { url, replies } = await send(fresh, stage, times)
  for (const reply of replies) {
    const difference =
      firstDifference(reply, url, fresh.expect ?? {}) ?? firstDifference(reply, url, fresh.expectSpec ?? {})
    if (difference !== undefined) return difference
  }
  return undefined
}

async function distribution(step: Step, stage: Stage): Promise<string | undefined> {
  let difference: string | undefined
  for (let left = step.retries ?? 0; left >= 0; left--) {
    const { url, replies } = await send(step, stage, step.count ?? 1)
    difference =
      replies.map((reply) => firstDifference(reply, url, step.expect ?? {})).find((one) => one !== undefined) ??
      shareDifference(replies.map(backendOf), step.expect ?? {})
    if (difference === undefined) return undefined
  }
  return difference
}

type Replies = Awaited<ReturnType<World['curlEach']>>

/** By curl (gRPC: by Node's HTTP/2), through the explicit listener of the client's sidecar. */
async function send(
  { via, request }: Step,
  { world, pods }: Stage,
  times: number,
): Promise<{ readonly url: string; readonly replies: Replies }> {
  const client = via?.client && pods.get(`${via.client.namespace}/${via.client.workload}`)
  if (client === undefined || via?.target === undefined || request === undefined)
    throw new Error('the runner sends from workloads of the mesh only')
  if (request.protocol === 'grpc') {
    const { service: called = '', method: name = '', metadata = {} } = request
    const { authority = `${via.target.service ?? ''}:${via.target.port}` } = request
    const call = { authority, path: `/${called}/${name}`, metadata }
    return { url: authority, replies: await callGrpc(client.workload.proxy, authority, call, times) }
  }
  if (request.protocol !== 'http/1.1') throw new Error(`the runner does not speak ${request.protocol}`)
  const { port, service = '', pod, namespace } = via.target
  const { path: at = '/', method = 'GET', headers = {}, body } = request
  const own = pod === undefined ? undefined : pods.get(`${namespace}/${pod}`)?.listens.get(port)
  if (pod !== undefined && own === undefined) throw new Error(`the pod ${pod} has no port ${port}`)
  // On one machine a pod's own address is where its program listens.
  const host = own === undefined ? (request.host ?? service) : `127.0.0.1:${own}`
  const { connectHost = host } = request
  const named = /:\d+$/.test(connectHost) || port === 80 ? connectHost : `${connectHost}:${port}`
  const url = `http://${named}${at}`
  const replies = await world.curlEach(client.workload, Array<string>(times).fill(url), {
    method,
    headers: [
      ...(connectHost === host ? [] : [`Host: ${host}`]),
      ...Object.entries(headers).map(([name, value]) => `${name}: ${value}`),
    ],
    ...(body === undefined ? {} : { body }),
  })
  return { url, replies }
}

/** RFC 7396. */
function mergePatch(target: unknown, patch: unknown): unknown {
  if (typeof patch !== 'object' || patch === null || Array.isArray(patch)) return patch
  const result: Record<string, unknown> =
    typeof target === 'object' && target !== null && !Array.isArray(target) ? { ...target } : {}
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) delete result[key]
    else result[key] = mergePatch(result[key], value)
  }
  return result
}
