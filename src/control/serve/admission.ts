import { status } from '@grpc/grpc-js'
import type { Clock } from '../../base/clock.ts'
import type { Watchable } from '../../base/watchable.ts'
import type { Node } from '../../xds/gen/envoy/config/core/v3/base_pb.ts'
import type { Model, Workload } from '../model/model.ts'
import type { Caller, Refusal } from './service.ts'

/** A proxy that may have its workload's configuration. */
export interface Admitted {
  /** node.id: `<namespace>/<workload>`. */
  readonly id: string
  readonly workload: Workload
  readonly node: Node
}

/** A workload that has just been registered reaches the model a moment later. */
const registrationMs = 5000

/**
 * Whether this caller may act for the workload that the node names: the certificate's SPIFFE ID must be that workload's identity. The
 * local socket vouches for any. Waits up to 5 s for a workload that is not there yet; an abort gives a refusal at once.
 */
export async function admit(
  node: Node | undefined,
  caller: Caller,
  { model, clock, signal }: { model: Watchable<Model>; clock: Clock; signal: AbortSignal },
): Promise<Admitted | Refusal> {
  if (node === undefined || node.id === '') {
    return { code: status.INVALID_ARGUMENT, details: 'the first request of a stream must carry node.id' }
  }
  if (!caller.local && caller.spiffeId === undefined) {
    return { code: status.UNAUTHENTICATED, details: 'ADS needs a client certificate of the mesh: Join first' }
  }
  const { id } = node
  const workload = await registered(id, model, clock, signal)
  if (workload === undefined) {
    return {
      code: status.PERMISSION_DENIED,
      details: `node.id ${JSON.stringify(id)} is no registered workload (wanted: "<namespace>/<workload>" as Join gave it)`,
    }
  }
  if (!caller.local && caller.spiffeId !== workload.identity) {
    return {
      code: status.PERMISSION_DENIED,
      details: `workload ${id} has the identity ${workload.identity}, the certificate says ${caller.spiffeId}`,
    }
  }
  return { id, workload, node }
}

function registered(
  id: string,
  model: Watchable<Model>,
  clock: Clock,
  signal: AbortSignal,
): Promise<Workload | undefined> {
  const now = model.value.workloads.get(id)
  if (now !== undefined || signal.aborted) return Promise.resolve(now)
  return new Promise((resolve) => {
    const finish = (workload: Workload | undefined): void => {
      stop()
      timer.cancel()
      signal.removeEventListener('abort', aborted)
      resolve(workload)
    }
    const aborted = (): void => finish(undefined)
    const stop = model.watch(({ workloads }) => {
      const found = workloads.get(id)
      if (found !== undefined) finish(found)
    })
    const timer = clock.after(registrationMs, () => finish(undefined), { background: true })
    signal.addEventListener('abort', aborted, { once: true })
  })
}
