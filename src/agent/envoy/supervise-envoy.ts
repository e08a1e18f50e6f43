import fs from 'node:fs'
import { parseAddress } from '../../base/address.ts'
import type { Timer } from '../../base/clock.ts'
import { settable } from '../../base/watchable.ts'
import type { Listeners } from '../listeners.ts'
import type { Membership } from '../membership.ts'
import type { AgentOptions, AgentParts } from '../options.ts'
import { restartAfterMs, stableRunMs } from '../restart-policy.ts'
import type { Sidecar } from '../sidecar-process.ts'
import { envoyAdmin, type EnvoyAdmin } from './admin.ts'
import { answerFor } from './answer.ts'
import { envoyBootstrap } from './bootstrap.ts'
import { startEnvoy, type EnvoyProcess } from './envoy-process.ts'
import { privateFolder, sweepFolders, type PrivateFolder } from './private-folder.ts'
import { serveSecrets, type SecretService } from './secret-service.ts'

const pollMs = 50
/** After this it is told what is waited for. */
const patienceMs = 10_000
const killAfterMs = 1000

/**
 * An Envoy beside the program, kept running: with a bootstrap in a private folder, its certificate from us, and its configuration from the
 * control plane. It binds the addresses that we hold and do not listen on.
 */
export async function superviseEnvoy(
  file: string,
  { service, locality }: Pick<AgentOptions, 'service' | 'locality'>,
  parts: Pick<AgentParts, 'env' | 'output' | 'clock' | 'random' | 'log'> & {
    readonly member: Membership
    readonly listeners: Listeners
  },
): Promise<Sidecar | { readonly failed: string }> {
  const { member, listeners, clock, log } = parts
  const left = await sweepFolders(clock.wallMs())
  if (left > 0) log.warn('what killed agents had left of their Envoys was removed', { count: left })
  const controlPlane = parseAddress(member.joined.xdsAddress)
  if (controlPlane === undefined) return { failed: `the control plane gave no address: ${member.joined.xdsAddress}` }
  const folder = privateFolder()
  if ('failed' in folder) return folder
  const identity = settable(member.identity.value)
  const secrets = await serveSecrets(folder.socket, identity, (name, reason) =>
    log.warn('Envoy refused a secret', { name, reason }),
  )
  const bootstrap = envoyBootstrap({
    nodeId: member.joined.nodeId,
    service,
    ...(locality === undefined ? {} : { locality }),
    trustDomain: member.joined.trustDomain,
    controlPlane,
    admin: listeners.admin.address,
    secretsPath: folder.socket,
  })
  fs.writeFileSync(folder.bootstrap, JSON.stringify(bootstrap), { mode: 0o600 })
  const admin = envoyAdmin(listeners.admin.address, clock)
  const kept = keepRunning(file, { ...parts, folder, secrets, admin })
  return {
    ...kept,
    setIdentity: (next) => identity.set(next),
    // The kernel ends it when we are gone.
    setProgram() {},
    ask: ({ what }) => answerFor(what, admin),
    upgrade: () =>
      Promise.resolve({
        failed: 'this proxy is Envoy, which is not replaced while it serves: start another instance and stop this one',
      }),
  }
}

interface Kept {
  readonly folder: PrivateFolder
  readonly secrets: SecretService
  readonly admin: EnvoyAdmin
  readonly listeners: Listeners
}

function keepRunning(
  file: string,
  parts: Pick<AgentParts, 'env' | 'output' | 'clock' | 'random' | 'log'> & Kept,
): Pick<Sidecar, 'ready' | 'outOfService' | 'drainInbound' | 'drain'> {
  const { folder, secrets, admin, clock, random, log } = parts
  const ready = Promise.withResolvers<{ up: true } | { failed: string }>()
  const gone = Promise.withResolvers<void>()
  const outOfService = settable<string | undefined>(undefined)
  let child: EnvoyProcess | undefined
  let restart: Timer | undefined
  let wasReady = false
  let stopping = false
  let shortRuns = 0

  const launch = (): void => {
    const startedMs = clock.nowMs()
    const started = startEnvoy(file, folder.bootstrap, parts)
    child = started
    if (started.pid !== undefined) folder.note(started.pid)
    void untilServing(started).then((serves) => {
      if (!serves) return
      wasReady = true
      outOfService.set(undefined)
      ready.resolve({ up: true })
    })
    void started.ended.then((how) => {
      child = undefined
      if (stopping) return gone.resolve()
      const said = started.lastWords.split('\n').at(-1)
      // One that never served was started with something that it does not take.
      if (!wasReady) {
        stopping = true
        return ready.resolve({ failed: `Envoy ended (${how}); it said: ${said}` })
      }
      outOfService.set(`Envoy ended (${how}) and is started again`)
      shortRuns = clock.nowMs() - startedMs < stableRunMs ? shortRuns + 1 : 1
      const delayMs = restartAfterMs('always', { status: 1, shortRuns }, random) ?? 0
      log.warn('Envoy ended and is started again', { how, said, afterMs: Math.round(delayMs) })
      restart = clock.after(delayMs, launch)
    })
  }
  const untilServing = async (process: EnvoyProcess): Promise<boolean> => {
    const startedMs = clock.nowMs()
    let told = false
    while (child === process && !stopping) {
      const missing = await notServing(admin, parts.listeners)
      if (missing === undefined) return true
      if (!told && clock.nowMs() - startedMs > patienceMs) {
        told = true
        log.warn('Envoy does not serve yet', { missing })
      }
      await clock.sleep(pollMs)
    }
    return false
  }
  launch()
  return {
    ready: ready.promise,
    outOfService,
    async drainInbound(deadlineMs) {
      if (child === undefined) return
      await admin.post('/drain_listeners?inboundonly&graceful&skip_exit')
      await untilQuiet(inboundCalls, admin, { deadlineMs, clock })
    },
    async drain(deadlineMs) {
      stopping = true
      restart?.cancel()
      ready.resolve({ failed: 'stopped' })
      const last = child
      if (last !== undefined) {
        await drainEnvoy(admin, { deadlineMs, clock })
        last.hush()
        await admin.post('/quitquitquit')
        const late = clock.after(killAfterMs, () => last.kill())
        await gone.promise
        late.cancel()
      }
      secrets.close()
      folder.remove()
    },
  }
}

/** Undefined: it has its first configuration, and listens wherever the agent said that it would; else what is missing. */
async function notServing(admin: EnvoyAdmin, listeners: Listeners): Promise<string | undefined> {
  const state = await admin.get('/ready')
  if (state === undefined) return 'its first configuration'
  const dump = (await admin.json('/listeners?format=json')) as { listener_statuses?: readonly ListenerStatus[] } | null
  const bound = new Set((dump?.listener_statuses ?? []).map((one) => keyOf(one.local_address?.socket_address)))
  const wanted = [...listeners.inbound.map(({ socket }) => socket.address), listeners.outbound.address]
  const missing = wanted.filter(({ host, port }) => !bound.has(`${host} ${port}`))
  return missing.length === 0 ? undefined : `listeners ${missing.map(({ host, port }) => `${host}:${port}`).join(', ')}`
}

interface ListenerStatus {
  readonly local_address?: { readonly socket_address?: { readonly address: string; readonly port_value: number } }
}
const keyOf = (one: { readonly address: string; readonly port_value: number } | undefined): string =>
  one === undefined ? '' : `${one.address} ${one.port_value}`

/** Calls in flight finish, new ones are told to go elsewhere. */
async function drainEnvoy(
  admin: EnvoyAdmin,
  { deadlineMs, clock }: { readonly deadlineMs: number; readonly clock: AgentParts['clock'] },
): Promise<void> {
  await admin.post('/healthcheck/fail')
  await admin.post('/drain_listeners?graceful&skip_exit')
  await untilQuiet(callsAndConnections, admin, { deadlineMs, clock })
}

/** Gauges: requests of HTTP (not our own question), and connections of raw TCP. */
const callsAndConnections = '^(http\\.(in|out)bound/.*\\.downstream_rq_active|tcp\\..*\\.downstream_cx_active)$'
/** Raw connections have no end to wait for. */
const inboundCalls = '^http\\.inbound/.*\\.downstream_rq_active$'

async function untilQuiet(
  gauges: string,
  admin: EnvoyAdmin,
  { deadlineMs, clock }: { readonly deadlineMs: number; readonly clock: AgentParts['clock'] },
): Promise<void> {
  const endMs = clock.nowMs() + deadlineMs
  while (clock.nowMs() < endMs && (await sumOf(gauges, admin)) > 0) await clock.sleep(pollMs)
}

async function sumOf(filter: string, admin: EnvoyAdmin): Promise<number> {
  const found = (await admin.json(`/stats?format=json&filter=${encodeURIComponent(filter)}`)) as {
    readonly stats?: readonly { readonly value?: number }[]
  } | null
  return (found?.stats ?? []).reduce((sum, { value = 0 }) => sum + value, 0)
}
