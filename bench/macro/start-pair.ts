import type { Shape, Started } from './subject.ts'

/** One process of a peer: where it listens, and how to end it. */
export interface StartedOne {
  readonly port: number
  readonly pid: number
  stop(): Promise<unknown>
}

/** A peer that is one program: alone before the backend, or the caller's and the callee's with mTLS between them. */
export async function startPair(
  shape: Shape,
  startOne: (role: 'client' | 'server', nextPort: number, shape: Shape) => Promise<StartedOne>,
): Promise<Started> {
  const callee = shape.mtls ? await startOne('server', shape.backendPort, shape) : undefined
  const caller = await startOne('client', callee?.port ?? shape.backendPort, shape)
  return {
    port: caller.port,
    target: '/',
    proxies: [
      { role: 'client', pids: [caller.pid] },
      ...(callee === undefined ? [] : [{ role: 'server', pids: [callee.pid] }]),
    ],
    async stop() {
      await caller.stop()
      await callee?.stop()
    },
  }
}
