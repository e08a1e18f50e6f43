import fs from 'node:fs'
import { textLog } from '../base/log.ts'
import type { SidecarParts } from './sidecar-parts.ts'
import type { Plan } from './running.ts'
import type { ToSidecar } from './sidecar-messages.ts'
import { createWorker } from './worker.ts'
import { createBootstrapFlow } from './xds/bootstrap-flow.ts'
import { decodeBootstrap } from './xds/decode-bootstrap.ts'

/** As one of several processes of a bare proxy; a sentence when the files that the bootstrap names are not what they were. */
export function planBare(
  message: Extract<ToSidecar, { kind: 'start-bare' }>,
  parts: SidecarParts,
): Plan | { readonly failed: string } {
  const { clock, random, version } = parts
  const bootstrap = decodeBootstrap(message.bootstrap, { readFile, env: message.env })
  if ('problems' in bootstrap) return { failed: bootstrap.problems.join('; ') }
  const { node } = bootstrap.value
  const log = textLog({
    part: 'proxy',
    level: message.logLevel,
    write: parts.writeLog,
    wallMs: () => clock.wallMs(),
  })
  const worker = message.workers && createWorker(message.workers, parts)
  return {
    flow: createBootstrapFlow(bootstrap.value, { version, clock, random, log }, worker?.source),
    identity: undefined,
    self: { workload: node.id, namespace: '', service: node.cluster, spiffeId: undefined },
    worker,
    adminAddress: message.adminAddress,
    dnsAddress: undefined,
    quotaSource: undefined,
    connectInside: false,
    standBy: message.standBy,
    log,
  }
}

/** The bytes, or why there are none. */
function readFile(file: string): Buffer | string {
  try {
    return fs.readFileSync(file)
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
}
