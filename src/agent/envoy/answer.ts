import type { Question, SidecarAnswer } from '../sidecar-process.ts'
import type { EnvoyAdmin } from './admin.ts'

/** What an Envoy says of itself, in the form of our own sidecar's answers where there is such a form. */
export async function answerFor(what: Question, admin: EnvoyAdmin): Promise<SidecarAnswer> {
  switch (what) {
    case 'config':
      return config(await admin.json('/config_dump'))
    case 'clusters':
      return given(await admin.json('/clusters?format=json'))
    case 'certs':
      return given(await admin.json('/certs'))
    case 'stats':
      return given(await admin.get('/stats/prometheus'))
    case 'explain':
      return {
        failed:
          'this proxy is Envoy, which does not tell what it would do: `weft config WORKLOAD routes` shows what it has to go by',
      }
    case 'probe':
      return {
        failed: 'this proxy is Envoy, which sends no request of its own: call through it, and look at its access log',
      }
    case 'demanded':
    case 'figures':
    case 'part':
    case 'drain-inbound':
      return { failed: 'this proxy is Envoy' }
  }
}

const given = (answer: unknown): SidecarAnswer =>
  answer === undefined || answer === null ? { failed: 'Envoy does not answer on its admin port' } : { json: answer }

/** One list of each kind, out of the sections of a dump. Envoy leaves private keys out. Source: envoy.admin.v3.ConfigDump. */
function config(dump: unknown): SidecarAnswer {
  const sections = listAt(dump, 'configs')
  if (sections.length === 0) return given(undefined)
  const active = (list: string, ...path: string[]): readonly unknown[] =>
    sections.flatMap((section) => listAt(section, list)).flatMap((one) => at(one, ...path) ?? [])
  return {
    json: {
      proxy: 'envoy',
      config: {
        listeners: active('dynamic_listeners', 'active_state', 'listener'),
        routes: [...active('dynamic_route_configs', 'route_config'), ...active('static_route_configs', 'route_config')],
        clusters: active('dynamic_active_clusters', 'cluster'),
        secrets: active('dynamic_active_secrets', 'name'),
      },
      refused: [
        ...active('dynamic_listeners', 'error_state'),
        ...active('dynamic_route_configs', 'error_state'),
        ...active('dynamic_active_clusters', 'error_state'),
      ],
    },
  }
}

function at(value: unknown, ...path: readonly string[]): unknown {
  let here = value
  for (const name of path)
    here = typeof here === 'object' && here !== null ? (here as Record<string, unknown>)[name] : undefined
  return here
}

const listAt = (value: unknown, name: string): readonly unknown[] => {
  const list = at(value, name)
  return Array.isArray(list) ? list : []
}
