import { compileCallTests } from './route/header-match.ts'
import type { Shared } from './shared.ts'
import { createLogs, type LogsParts } from './telemetry/logs.ts'

/** The access logs of a proxy, whose filters ask for headers as routes do. */
export const logsTo = (parts: Omit<LogsParts, 'headerTest'>): Shared['logsOf'] =>
  createLogs({ ...parts, headerTest: (match) => compileCallTests([match], []) })
