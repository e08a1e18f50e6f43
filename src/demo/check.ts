import { deployment } from './checks/deployment.ts'
import { discovery } from './checks/discovery.ts'
import { observability } from './checks/observability.ts'
import { recovery } from './checks/recovery.ts'
import { routing } from './checks/routing.ts'
import { security } from './checks/security.ts'
import type { Check, Verdict } from './checks/verdict.ts'
import type { World } from './world.ts'

/** The six operations, in the order in which they are verified: each leaves the mesh as it found it. */
const checks: readonly Check[] = [deployment, discovery, routing, security, observability, recovery]

/** One line a check: ✓ or ✗ and the figures. 0 when all hold, else 1; a check that breaks is a check that failed. */
export async function runChecks(world: World, out: (text: string) => void): Promise<number> {
  const open = await world.waitFor(
    () => world.load(),
    ({ ok }) => ok > 0,
    20_000,
  )
  if (open === undefined) {
    out('✗ the shop has not answered a single visit within 20 s\n')
    return 1
  }
  let failed = 0
  for (const check of checks) {
    const { ok, facts } = await check.verify(world).catch(broken)
    if (!ok) failed++
    out(`${ok ? '✓' : '✗'} ${check.title.padEnd(13)} ${facts}\n`)
  }
  out(failed === 0 ? `all ${checks.length} checks hold\n` : `${failed} of ${checks.length} checks failed\n`)
  return failed === 0 ? 0 : 1
}

const broken = (error: unknown): Verdict => ({
  ok: false,
  facts: error instanceof Error ? error.message : String(error),
})
