import type { Route } from './config.ts'
import type { Layer } from './http/service.ts'

/** What a listener puts into the path of a route. */
export interface LateLayers {
  /** For the calls of a route, or for those that no route is for. */
  readonly filters: (route: Route | undefined) => readonly (Layer | undefined)[]
  /** Around each attempt; absent: nothing. */
  readonly attempt?: Layer
}
