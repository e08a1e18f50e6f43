import type { Random } from '../../base/random.ts'
import { emptyBody, type Body } from '../http/body.ts'
import type { Fault } from '../http/fault.ts'
import { isFault, type Call, type Layer, type Service } from '../http/service.ts'
import { separateCall, type SeparateCall } from './separate-call.ts'
import { createTee } from './tee.ts'

/** Where copies go: a service of its own, which may fail as it likes. */
export interface MirrorTarget {
  readonly service: Service
  /** In [0, 1]: the chance of a call to be copied. */
  readonly share: number
  /** The copy's Host is marked, so that programs can tell: `web:80` becomes `web-shadow:80`. */
  readonly markHost: boolean
}

/** What mirrors need beside their targets. */
export interface MirrorParts {
  readonly random: Random
  /** How far a copy may fall behind the original; absent: `mirrorBacklogBytes`. */
  readonly backlogBytes?: number | undefined
  /** Told of bugs of this proxy, never of faults. */
  readonly failed: (error: unknown) => void
}

/** How far a copy may fall behind the original, per call and target. */
export const mirrorBacklogBytes: number = 256 * 1024

/**
 * Sends copies of calls to other services and forgets them: their answers are read away, their failures pass unheard, their slowness
 * costs them the copy. Tunnels (CONNECT, upgrades) are not copied. Source: Envoy RouteAction.request_mirror_policies.
 */
export function mirror(
  targets: readonly MirrorTarget[],
  { random, failed, backlogBytes = mirrorBacklogBytes }: MirrorParts,
): Layer | undefined {
  if (targets.length === 0) return undefined
  return (next) => (call) => {
    if (call.method === 'CONNECT' || call.upgrade !== undefined) return next(call)
    const chosen = targets.filter(({ share }) => share >= 1 || random.unit() < share)
    if (chosen.length === 0) return next(call)
    const tee = call.body.length === 0 ? undefined : createTee(call.body, backlogBytes)
    const copies = chosen.map((target) => ({ target, shadow: shadowOf(call, target, tee?.copy() ?? emptyBody) }))
    if (tee !== undefined) {
      call.body = tee.main
      call.onEnd(() => tee.abandon(originalOver))
    }
    const answer = next(call)
    for (const { target, shadow } of copies) forget(target.service, shadow, failed)
    return answer
  }
}

const originalOver: Fault = {
  kind: 'client-gone',
  side: 'downstream',
  retry: 'never',
  cause: 'the original call was over before all of its body had come',
}

const shadowOf = (original: Call, { markHost }: MirrorTarget, body: Body): SeparateCall =>
  separateCall(original, {
    body,
    authority: markHost ? marked(original.authority) : original.authority,
    trace: { tried: [], attempts: 0, bytesSent: 0, bytesReceived: 0 },
  })

/** Source: Envoy, `disable_shadow_host_suffix_append`. */
export function marked(authority: string): string {
  const [host = '', port, ...rest] = authority.split(':')
  return port === undefined || rest.length > 0 ? `${authority}-shadow` : `${host}-shadow:${port}`
}

/** Sends, and reads the answer away so that the connection can be used again. */
function forget(service: Service, { call, settle }: SeparateCall, failed: (error: unknown) => void): void {
  const answered = async (): Promise<void> => {
    const answer = await service(call)
    if (isFault(answer)) return settle({ status: 0, fault: answer })
    answer.body.start({
      data: () => true,
      end: () => settle({ status: answer.status, fault: undefined }),
      fail: (fault) => settle({ status: answer.status, fault }),
    })
  }
  answered().catch((error: unknown) => {
    failed(error)
    settle({ status: 0, fault: originalOver })
  })
}
