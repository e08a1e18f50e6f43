import { findControlPlane } from '../../agent/find-control-plane.ts'
import { parseAddress } from '../../base/address.ts'
import type { Clock } from '../../base/clock.ts'
import type { Info } from '../../control/api/contract.ts'
import { dial, formatTarget, type GrpcTarget } from '../../xds/grpc-target.ts'
import { apiClient } from '../client/client.ts'
import type { Place } from '../client/place.ts'
import { findingsAbout, type Finding } from './finding.ts'

const { ok, bad } = findingsAbout('Control plane')

/** Beyond the first, certificates are not in date yet for somebody (they begin five minutes early); the second is worth knowing. */
const skewLimitMs = 5 * 60_000
const skewWorthKnowingMs = 30_000
const dialTimeoutMs = 5000

/** What is asked with. */
export interface ControlPlaneParts {
  readonly clock: Clock
  /** Of this command line. */
  readonly version: string
}

/** The API answers, the version fits, the clocks agree, and workloads can join: xDS is reached and its certificate is the root's. */
export async function checkControlPlane(
  place: Exclude<Place, { kind: 'wrong' }>,
  { clock, version }: ControlPlaneParts,
): Promise<{ readonly findings: readonly Finding[]; readonly info?: Info }> {
  const answer = await apiClient(place).get<Info>('/v1/info')
  if (answer.kind === 'failed') {
    const [says = '', remedy = 'start one with: weft up'] = answer.sentence.split('; ')
    return { findings: [bad('failed', 'API', says, remedy)] }
  }
  const info = answer.value
  const found = [ok('API', `Weft ${info.version}, trust domain ${info.trustDomain}`)]
  if (info.version !== version) {
    const remedy = 'up to one minor version apart they work together; bring both to the same version'
    found.push(bad('warning', 'version', `this command line is ${version}`, remedy))
  }
  found.push(checkClock(info.timeMs - clock.wallMs()))
  if (place.kind === 'socket') {
    const door = findControlPlane({ dataDir: place.dataDir })
    if (!('refused' in door)) found.push(await checkDoor('agent socket', door.joinTarget, clock))
  }
  const address = parseAddress(info.xdsAddress)
  if (address !== undefined)
    found.push(await checkDoor('xDS', { address, tls: { trust: { rootHash: info.rootHash } } }, clock))
  return { findings: found, info }
}

/** The same from another machine, with no more than a join token. */
export async function checkToken(tokenText: string, clock: Clock): Promise<readonly Finding[]> {
  const door = findControlPlane({ dataDir: '', tokenText })
  if ('refused' in door) return [bad('failed', 'join token', door.refused, 'make a new one: weft token create')]
  return [await checkDoor('xDS', door.joinTarget, clock)]
}

function checkClock(aheadMs: number): Finding {
  const seconds = Math.round(Math.abs(aheadMs) / 1000)
  const says = `the control plane's is ${seconds} s ${aheadMs < 0 ? 'behind' : 'ahead of'} this one`
  if (Math.abs(aheadMs) < skewWorthKnowingMs) return ok('clock', 'agrees with the control plane')
  const remedy = 'keep both by NTP (timedatectl set-ntp true): certificates and tokens have dates'
  return bad(Math.abs(aheadMs) < skewLimitMs ? 'warning' : 'failed', 'clock', says, remedy)
}

async function checkDoor(what: string, target: GrpcTarget, clock: Clock): Promise<Finding> {
  const { socket, connected } = dial(target, { clock, timeoutMs: dialTimeoutMs })
  const refusal = await connected
  socket.destroy()
  const secure = !('unix' in target)
  const where = formatTarget(target)
  if (refusal === undefined)
    return ok(what, secure ? `${where}, with a certificate of this mesh's root that is in date` : where)
  const remedy = /certificate|server is/.test(refusal)
    ? 'another mesh answers there, or a clock is wrong: compare "weft check" on the control plane\'s machine'
    : 'is it running, and does a firewall let this through? For other machines: weft up --advertise HOST'
  return bad('failed', what, `${where}: ${refusal}`, remedy)
}
