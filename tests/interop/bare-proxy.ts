import type { TestContext } from 'node:test'
import { startBare } from '../../src/proxy/testing/start-bare.ts'

/** Our data plane in this process from the bootstrap that a real Envoy gets too; serves when it resolves, gone with the test. */
export async function startOurs(t: TestContext, config: object): Promise<void> {
  await startBare(t, config).started
}
