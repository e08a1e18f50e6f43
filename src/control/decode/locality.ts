import { integer, mismatch, object, oneOf, optional, refine, string, type Decoder } from '../../base/decode.ts'
import { localityForm, parseLocality, type Locality } from '../../base/locality.ts'
import { orFalse } from './traffic-outlier.ts'

/** Where an instance runs: "region/zone/sub-zone", as far as it is known. */
export const locality: Decoder<Locality> = refine(string(), (text, path, issues) => {
  const read = parseLocality(text)
  return read ?? mismatch(issues, path, localityForm, text)
})

/** How far calls go, by where the caller is. One unit. */
export interface LocalityPreferenceSpec {
  /** Endpoints of the caller's own come first, then those of the next wider place, the others last. */
  readonly prefer: 'Region' | 'Zone' | 'SubZone'
  /** While so many of the nearer ones are healthy they take all calls; absent: Envoy's 5/7. */
  readonly minHealthyPercent?: number
}

/** `false`: endpoints are alike wherever they are, whatever wider policies say. */
export const localityPreferenceSpec: Decoder<LocalityPreferenceSpec | false> = orFalse(
  object<LocalityPreferenceSpec>({
    prefer: oneOf('Region', 'Zone', 'SubZone'),
    minHealthyPercent: optional(integer({ min: 1, max: 100 })),
  }),
)
