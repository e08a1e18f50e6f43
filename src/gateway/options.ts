import type { AgentOptions } from '../agent/options.ts'

/** What `weft gateway` was told. */
export interface GatewayOptions extends Pick<
  AgentOptions,
  'namespace' | 'locality' | 'admin' | 'dataDir' | 'tokenText' | 'wait' | 'workers' | 'version'
> {
  /** Of the Gateway; it need not be there yet. */
  readonly name: string
  /** IP address for its listeners; absent: a loopback address of its own. */
  readonly bind?: string
  /** IP address by which others reach them; absent: the one that is bound, or where this machine is reached. */
  readonly advertise?: string
  /** By a listener's port: the one that is bound instead. */
  readonly portMap: ReadonlyMap<number, number>
}
