import { formatAddress, type Address } from '../../base/address.ts'
import { programEnvironment, type Told } from './environment.ts'

/** What never goes through the sidecar. */
const never = ['localhost', '127.0.0.1', '::1']

/**
 * The program's environment in explicit mode: it asks the sidecar for HTTP, and for CONNECT tunnels (gRPC clients do so by themselves).
 * `https_proxy` stays as it is: what the program encrypts by itself passes by. Source: DESIGN 8.14; curl's and Node's proxy variables.
 */
export function explicitEnvironment(
  inherited: Readonly<Record<string, string | undefined>>,
  { proxy, ...told }: Told & { readonly proxy: Address },
): Record<string, string | undefined> {
  const url = `http://${formatAddress(proxy)}`
  const own = (inherited['NO_PROXY'] ?? inherited['no_proxy'] ?? '').split(',').map((host) => host.trim())
  const noProxy = [...new Set([...never, ...own.filter((host) => host !== '')])].join(',')
  return {
    ...programEnvironment(inherited, told),
    HTTP_PROXY: url,
    http_proxy: url,
    NO_PROXY: noProxy,
    no_proxy: noProxy,
    NODE_USE_ENV_PROXY: '1',
    WEFT_PROXY: url,
  }
}
