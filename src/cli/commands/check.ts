import { installed } from '../../agent/capture/host/nft.ts'
import { openNamespace } from '../../agent/capture/namespace/namespace.ts'
import { systemClock } from '../../base/clock.ts'
import { silentLog } from '../../base/log.ts'
import type { ProbeResult } from '../../proxy/probe.ts'
import { checkControlPlane, checkToken } from '../check/control-plane.ts'
import { findingsText, type Finding } from '../check/finding.ts'
import { checkMachine, checkPort, kernelSetting, type WantedCapture } from '../check/machine.ts'
import { checkWorkloads } from '../check/workloads.ts'
import { probeSteps } from '../check/probe-steps.ts'
import { apiClient } from '../client/client.ts'
import { failedAnswer, withClient } from '../client/connect.ts'
import { askProxy, explainCall } from '../client/explain-call.ts'
import { findProxy } from '../client/find-proxy.ts'
import { findPlace, type Place, type PlaceOptions } from '../client/place.ts'
import { defaultPorts } from '../options/up-options.ts'
import { readToken } from '../options/run-token.ts'
import { printOne, type Format } from '../print/structured.ts'
import { fail, misused, status, type Terminal } from '../terminal.ts'
import { version } from '../version.ts'
import { readRequest } from './explain.ts'

/** Flags of `weft check`. */
export interface CheckFlags extends PlaceOptions {
  readonly namespace?: string
  readonly machine?: boolean
  readonly capture?: WantedCapture
  readonly tokenFile?: string
  readonly from?: string
  readonly to?: string
  readonly output?: Format
}

/** Looks at this machine, the control plane and its workloads; exits with 1 when anything failed. */
export async function check(workload: string | undefined, flags: CheckFlags, terminal: Terminal): Promise<number> {
  const { from, to } = flags
  if (from !== undefined && to !== undefined && workload === undefined) return checkWay(from, to, flags, terminal)
  if (from !== undefined || to !== undefined)
    return misused(terminal, 'check', 'a probe wants both: --from WORKLOAD --to SERVICE, and nothing else')
  if (flags.machine === true && workload !== undefined)
    return misused(terminal, 'check', '--machine looks at this machine alone; leave the workload out')
  const place = findPlace(flags, terminal.env)
  if (place.kind === 'wrong') return misused(terminal, 'check', place.sentence)
  const token = readToken(flags, terminal)
  if ('unreadable' in token) return fail(terminal, token.unreadable)
  const machine = await machineFindings(flags, terminal)
  const mesh =
    flags.machine === true
      ? []
      : token.tokenText === undefined
        ? await meshFindings(place, wantedWorkload(workload, flags, terminal))
        : await checkToken(token.tokenText, systemClock)
  return tell([...machine, ...mesh], flags.output, terminal)
}

/** Sends something from one workload to a service, and says how far it came. */
function checkWay(from: string, to: string, flags: CheckFlags, terminal: Terminal): Promise<number> {
  const request = readRequest('GET', to, [])
  if ('wrong' in request) return Promise.resolve(misused(terminal, 'check', request.wrong))
  return withClient(flags, terminal, async (client) => {
    const found = await findProxy(client, from, flags.namespace, true)
    if ('failed' in found) return failedAnswer(terminal, found.failed)
    if ('sentence' in found) return fail(terminal, found.sentence)
    const { authority, path } = request
    const probed = await askProxy<ProbeResult>(client, found.proxy, 'probe', { authority, path })
    if (probed.kind === 'failed') return failedAnswer(terminal, probed)
    const result = probed.value
    const way = { from: found.proxy, to, result }
    if (result.protocol !== 'http') return tell(probeSteps(way), flags.output, terminal)
    const answer = await explainCall(client, found.proxy, request)
    if ('failed' in answer) return failedAnswer(terminal, answer.failed)
    return tell(probeSteps({ ...way, explained: answer.explained }), flags.output, terminal)
  })
}

/** Prints them, and gives the exit status. */
async function tell(findings: readonly Finding[], output: Format | undefined, terminal: Terminal): Promise<number> {
  const passed = findings.every(({ state }) => state !== 'failed')
  if (output === undefined) terminal.out(findingsText(findings))
  else await printOne(terminal, { passed, findings }, output)
  return passed ? status.done : status.failed
}

function machineFindings({ capture = 'auto' }: CheckFlags, { env }: Terminal): Promise<readonly Finding[]> {
  const parts = { env, output: () => {}, clock: systemClock, log: silentLog }
  return checkMachine(
    {
      env,
      platform: process.platform,
      uid: process.getuid?.(),
      kernelSetting,
      hostRules: () => installed(env),
      openNamespace: () => openNamespace(parts),
    },
    capture,
  )
}

async function meshFindings(
  place: Exclude<Place, { kind: 'wrong' }>,
  workload: string | undefined,
): Promise<readonly Finding[]> {
  const { findings, info } = await checkControlPlane(place, { clock: systemClock, version })
  if (info !== undefined) return [...findings, ...(await checkWorkloads(apiClient(place), workload))]
  if (place.kind === 'url') return findings
  return [
    ...findings,
    await checkPort('port of xDS', { host: '127.0.0.1', port: defaultPorts.xds }, '--xds'),
    await checkPort('port of the API', { host: '127.0.0.1', port: defaultPorts.api }, '--api'),
  ]
}

/** Inside of `weft run` a program need not say who it is. */
function wantedWorkload(
  workload: string | undefined,
  { namespace }: CheckFlags,
  { env }: Terminal,
): string | undefined {
  const own = env['WEFT_WORKLOAD']
  if (workload === undefined && own !== undefined) return `${env['WEFT_NAMESPACE'] ?? 'default'}/${own}`
  if (workload === undefined || workload.includes('/')) return workload
  return `${namespace ?? 'default'}/${workload}`
}
