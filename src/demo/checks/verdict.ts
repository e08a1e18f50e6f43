import type { World } from '../world.ts'

/** What one check found; `facts` are the figures, true or not. */
export interface Verdict {
  readonly ok: boolean
  readonly facts: string
}

/** One operation of a mesh, verified against a running one. */
export interface Check {
  /** "routing". */
  readonly title: string
  verify(world: World): Promise<Verdict>
}

/** True when all are; the facts are told whichever way it went, the failed ones marked. */
export function allOf(parts: readonly (readonly [ok: boolean, fact: string])[]): Verdict {
  return {
    ok: parts.every(([ok]) => ok),
    facts: parts.map(([ok, fact]) => (ok ? fact : `NOT: ${fact}`)).join('; '),
  }
}
