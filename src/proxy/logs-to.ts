import type { Random } from '../base/random.ts'
import { compileCallTests } from './route/header-match.ts'
import type { Shared } from './shared.ts'
import { createLogs } from './telemetry/logs.ts'

/** The access logs of a proxy, whose filters ask for headers as routes do. */
export const logsTo = (to: (path: string) => (line: string) => void, random: Random): Shared['logsOf'] =>
  createLogs({ to, random, headerTest: (match) => compileCallTests([match], []) })
