import assert from 'node:assert/strict'
import type { TestContext } from 'node:test'
import { systemClock } from '../../src/base/clock.ts'
import { silentLog } from '../../src/base/log.ts'
import { seeded } from '../../src/base/random.ts'
import { startBareProxy } from '../../src/proxy/run-bare.ts'
import { decodeBootstrap } from '../../src/proxy/xds/decode-bootstrap.ts'

/** Our data plane in this process from the bootstrap that a real Envoy gets too; serves when it resolves, gone with the test. */
export async function startOurs(t: TestContext, config: object): Promise<void> {
  const decoded = decodeBootstrap(config, { readFile: () => 'no files here', env: {} })
  assert.ok('value' in decoded, JSON.stringify(decoded))
  const proxy = startBareProxy(decoded.value, {
    version: '0.0.0-test',
    admin: { host: '127.0.0.1', port: 0 },
    stdout() {},
    stderr() {},
    clock: systemClock,
    random: seeded(1),
    log: silentLog,
  })
  t.after(() => proxy.drain(0))
  await proxy.started
}
