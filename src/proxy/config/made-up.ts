import type { Cluster } from './cluster.ts'

/** Its endpoints follow from the calls: there is none to choose from, and none to check. */
export const isMadeUp = ({ discovery }: Pick<Cluster, 'discovery'>): boolean =>
  discovery === 'dynamic-forward' || discovery === 'original-destination'
