import assert from 'node:assert/strict'
import type { TestContext } from 'node:test'
import { systemClock } from '../../base/clock.ts'
import { silentLog } from '../../base/log.ts'
import { seeded } from '../../base/random.ts'
import { startBareProxy, type BareProxy } from '../run-bare.ts'
import { decodeBootstrap } from '../xds/decode-bootstrap.ts'

/** Our data plane in this process, from a bootstrap that names no files; gone with the test. */
export function startBare(t: TestContext, bootstrap: unknown): BareProxy {
  const decoded = decodeBootstrap(bootstrap, { readFile: () => 'no files here', env: {} })
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
  return proxy
}
