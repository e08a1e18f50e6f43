import type { AccessLog, ProxyConfig } from '../config.ts'
import { logsKey } from './export-logs.ts'
import { spansKey } from './export-spans.ts'

/** Of all that a configuration exports, by which `Exporters` know it. */
export function exportKeys({ listeners }: Pick<ProxyConfig, 'listeners'>): ReadonlySet<string> {
  const keys = new Set<string>()
  const addLogs = (logs: readonly AccessLog[] = []): void => {
    for (const log of logs) if ('server' in log) keys.add(logsKey(log.server))
  }
  for (const { accessLog, udp, filterChains, defaultFilterChain } of listeners.values()) {
    addLogs(accessLog)
    addLogs(udp?.accessLog)
    for (const chain of [...filterChains, defaultFilterChain]) {
      addLogs(chain?.terminal.accessLog)
      if (chain?.terminal.kind === 'http' && chain.terminal.tracing !== undefined)
        keys.add(spansKey(chain.terminal.tracing.exporter))
    }
  }
  return keys
}
