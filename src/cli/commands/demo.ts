import { runDemo } from '../../demo/demo.ts'
import type { Terminal } from '../terminal.ts'

/** The sample mesh: a tour until Ctrl-C, or with `check` its verification. */
export function demo({ check = false }: { check?: boolean }, { out, err, env }: Terminal): Promise<number> {
  return runDemo({ check, out, err, env })
}
