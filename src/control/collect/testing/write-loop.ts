import process from 'node:process'
import { systemClock } from '../../../base/clock.ts'
import { openSqliteStore } from '../sqlite-store.ts'
import { service } from '../store.suite.ts'

/** For the crash test: writes pairs of documents as fast as it can and says each number once the store has acknowledged it. */
const store = openSqliteStore({ file: String(process.argv[2]), clock: systemClock })
const { items } = await store.list()
const [first] = items
let next = first === undefined ? 1 : (first.spec as { ports: { port: number }[] }).ports[0]!.port + 1
for (;;) {
  await store.write([{ put: service('left', next) }, { put: service('right', next) }])
  // Not writeSync: the pipe does not block, and a slow reader would end us with EAGAIN.
  await new Promise((resolve) => process.stdout.write(`${next++}\n`, resolve))
}
