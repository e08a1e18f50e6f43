import { spawn } from 'node:child_process'
import { once } from 'node:events'
import type { TestContext } from 'node:test'
import { realEnvoy } from '../../src/base/testing/real-envoy.ts'
import { until } from '../world/until.ts'

/** A real Envoy from this bootstrap; resolves once `ready` does, gone with the test. */
export async function startEnvoy(t: TestContext, config: object, ready: () => Promise<unknown>): Promise<void> {
  const child = spawn(
    realEnvoy().binary,
    ['--config-yaml', JSON.stringify(config), '--concurrency', '1', '--use-dynamic-base-id', '-l', 'error'],
    { stdio: 'ignore' },
  )
  const gone = once(child, 'exit')
  t.after(async () => {
    child.kill('SIGKILL')
    await gone
  })
  await until('Envoy answers', async () => (await ready()) !== undefined)
}
