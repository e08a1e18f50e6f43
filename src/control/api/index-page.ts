import type { Info, ProxyState } from './contract.ts'
import type { ApiReply } from './reply.ts'

/** A page of plain text for whoever opens the API's address in a browser. Tells nothing that /metrics does not. */
export function indexPage({ version, trustDomain, xdsAddress }: Info, proxies: readonly ProxyState[]): ApiReply {
  const connected = proxies.filter((proxy) => proxy.connected).length
  const text = `Weft ${version}, trust domain ${trustDomain}
xDS on ${xdsAddress}; ${connected} ${connected === 1 ? 'proxy' : 'proxies'} connected

open to all
  GET  /healthz     "ok" while the control plane serves
  GET  /metrics     Prometheus text

with "Authorization: Bearer TOKEN" (the file api.token of the data directory)
  GET  /v1/info
  GET  /v1/resources/KIND?namespace=NS&watch=true
  GET  /v1/resources/KIND/NAMESPACE/NAME            also DELETE
  POST /v1/apply?dryRun=true                        YAML or JSON documents
  POST /v1/validate
  GET  /v1/proxies
  GET  /v1/proxies/NAMESPACE/NAME/config?what=config|clusters|stats|certs
  POST /v1/tokens                                   {"ttlMs": 3600000}
`
  return { status: 200, text, type: 'text/plain; charset=utf-8' }
}
