import type { Endpoint, Locality, LocalityPreference } from '../model/model.ts'

/** Endpoints of one place, and how soon they are asked: 0 first. */
export interface EndpointGroup {
  readonly locality: Locality
  readonly priority: number
  readonly endpoints: readonly Endpoint[]
}

const nowhere: Locality = { region: '', zone: '', subZone: '' }

/**
 * Endpoints by place, nearest first as `caller` sees them, and after all of them the `reserve`; without a preference, or with a caller that is nowhere, all are alike.
 * Priorities have no gaps, as Envoy wants them. Pure.
 */
export function groupEndpoints(
  endpoints: readonly Endpoint[],
  preference: LocalityPreference | undefined,
  caller: Locality | undefined,
  reserve: readonly Endpoint[] = [],
): readonly EndpointGroup[] {
  const byPlace = (list: readonly Endpoint[], further: number) =>
    [...Map.groupBy(list, ({ locality = nowhere }) => JSON.stringify(locality)).values()].flatMap((own) => {
      const [{ locality = nowhere } = {}] = own
      const far = preference === undefined || caller === undefined ? 0 : distanceTo(locality, caller, preference.prefer)
      return { locality, endpoints: own, distance: far + further }
    })
  const groups = [...byPlace(endpoints, 0), ...byPlace(reserve, farthest + 1)]
  const levels = [...new Set(groups.map(({ distance }) => distance))].toSorted((a, b) => a - b)
  return groups
    .map(({ distance, ...group }) => ({ ...group, priority: levels.indexOf(distance) }))
    .toSorted((a, b) => a.priority - b.priority)
}

const farthest = 3
/** 0: as near as is preferred; one more for each wider place that has to be taken. */
function distanceTo(place: Locality, caller: Locality, prefer: LocalityPreference['prefer']): number {
  const far = stepsApart(place, caller)
  return Math.max(0, far - { 'sub-zone': 0, zone: 1, region: 2 }[prefer])
}

/** 0: one sub-zone, 1: one zone, 2: one region, 3: none of them. A zone whose region nobody tells is known by its name alone. */
function stepsApart(a: Locality, b: Locality): 0 | 1 | 2 | 3 {
  const oneRegion = a.region === b.region && a.region !== ''
  const regionUnknown = a.region === '' || b.region === ''
  const oneZone = a.zone === b.zone && a.zone !== '' && (oneRegion || regionUnknown)
  if (oneZone) return a.subZone === b.subZone && a.subZone !== '' ? 0 : 1
  return oneRegion ? 2 : 3
}
