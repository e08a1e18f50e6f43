import type { Message } from '@bufbuild/protobuf'
import type { Duration } from '@bufbuild/protobuf/wkt'
import type { SlowStart } from '../config.ts'
import { durationMs } from './decode-parts.ts'
import { join, type Refusals } from './refusals.ts'

/** `SlowStartConfig`, which stands in two places under one form. */
export interface HasSlowStart {
  readonly slowStartConfig?:
    | (Message & {
        readonly slowStartWindow?: Duration | undefined
        readonly aggression?: { readonly defaultValue: number } | undefined
        readonly minWeightPercent?: { readonly value: number } | undefined
      })
    | undefined
}

/** Nothing when the window is absent or 0: then it is off. */
export function slowStartOf(
  { slowStartConfig: config }: HasSlowStart,
  path: string,
  refused: Refusals,
): { readonly slowStart?: SlowStart } {
  if (config === undefined) return {}
  const at = join(path, 'slow_start_config')
  const windowMs = durationMs(config.slowStartWindow, 0, join(at, 'slow_start_window'), refused)
  const aggression = config.aggression?.defaultValue ?? 1
  if (!(aggression > 0)) refused.add(join(at, 'aggression'), `expected more than 0, got ${aggression}`)
  const minWeightPercent = config.minWeightPercent?.value ?? 10
  return windowMs < 1 ? {} : { slowStart: { windowMs, aggression, minWeightPercent } }
}
