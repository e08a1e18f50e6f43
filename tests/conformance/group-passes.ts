import assert from 'node:assert/strict'
import fs from 'node:fs'
import path from 'node:path'
import type { TestContext } from 'node:test'
import { runToEnd } from '../world/child.ts'
import { requires } from '../world/requires.ts'

const root = path.dirname(path.dirname(import.meta.dirname))
const folder = path.resolve(root, process.env['WEFT_CONFORMANCE'] ?? '../shared/conformance/gateway-api')

/** Runs a group of the Gateway API suite as the command does; it must pass. */
export async function passes(t: TestContext, group: string): Promise<void> {
  if (!requires(t, 'curl')) return
  if (!fs.existsSync(path.join(folder, 'cases'))) {
    t.skip(`${folder} is not here; WEFT_CONFORMANCE says where the cases are`)
    return
  }
  const runner = path.join(import.meta.dirname, 'run.ts')
  const { status, out, err } = await runToEnd([process.execPath, runner, folder, '--group', group, '--jobs', '2'], {
    env: process.env as Record<string, string>,
    cwd: root,
    withinMs: 120_000,
  })
  for (const line of out.trimEnd().split('\n')) t.diagnostic(line)
  assert.equal(status, 0, `${out}${err}`)
}
