import type { Server } from 'node:net'
import { carryDatagrams, type DatagramCarrier } from './carried-datagrams.ts'
import type { ProxyConfig } from './config.ts'
import { listenOn } from './listener/listener.ts'
import { passOn } from './pass-on.ts'
import type { Shared } from './shared.ts'
import type { Snapshot } from './snapshot.ts'

/** What reaches a proxy only where traffic was captured, and by no listener of its configuration. */
export interface CapturedParts {
  /** Where a captured program's datagrams come from, when it is time to take them. Absent: from nowhere. */
  readonly carrier?: Promise<DatagramCarrier>
  /** Hears whether they may be taken, as often as that changes. */
  readonly allowDatagrams?: (allow: boolean) => void
  /** Says what was caught on its way to ports of this machine that nobody declared. Absent: there is none. */
  readonly undeclared?: Server
}

/** At work from the beginning; datagrams as the configuration says. */
export interface CapturedTraffic {
  adopt(config: ProxyConfig): void
  drain(deadlineMs: number, patient: boolean): Promise<unknown>
  close(): void
}

/** Serves what there is of it. */
export function serveCapturedTraffic(
  parts: CapturedParts,
  { shared, current }: { readonly shared: Shared; readonly current: () => Snapshot },
): CapturedTraffic {
  const { overload, clock } = shared
  const carried = parts.carrier && carryDatagrams(shared)
  if (carried !== undefined) void parts.carrier?.then((carrier) => carried.attach(carrier))
  const undeclared =
    parts.undeclared &&
    listenOn(parts.undeclared, {
      accepted: (socket, tracked) => passOn(socket, tracked, { shared, snapshot: current() }),
      room: { admit: overload.admit, left: overload.left, refused() {} },
      failed() {},
      clock,
    })
  let allowed: boolean | undefined
  return {
    adopt({ listeners }) {
      const captured = [...listeners.values()].find(({ originalDestination }) => originalDestination === true)
      carried?.update(captured)
      const allow = captured?.carriesDatagrams === true
      if (captured === undefined || allow === allowed) return
      allowed = allow
      parts.allowDatagrams?.(allow)
    },
    drain: (deadlineMs, patient) => Promise.all([carried?.drain(deadlineMs), undeclared?.drain(deadlineMs, patient)]),
    close() {
      carried?.close()
      undeclared?.close()
    },
  }
}
