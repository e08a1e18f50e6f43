import type { ControlSession } from './control-session.ts'
import type { Readiness } from './readiness-probe.ts'
import type { Sidecar } from './sidecar-process.ts'

/** The session, over which the program is only said to be ready while its proxy takes calls: while Envoy starts again its ports refuse connections. */
export function whileServing(session: ControlSession, { outOfService }: Pick<Sidecar, 'outOfService'>): ControlSession {
  if (outOfService === undefined) return session
  let said: Readiness | undefined
  const tell = (): void => {
    const { value: reason } = outOfService
    if (said !== undefined) session.setReadiness(reason === undefined ? said : { ready: false, reason })
  }
  outOfService.watch(tell)
  return {
    ...session,
    setReadiness(readiness) {
      said = readiness
      tell()
    },
  }
}
