import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { createInterface } from 'node:readline'
import { DatabaseSync } from 'node:sqlite'
import { after, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { systemClock } from '../../base/clock.ts'
import { seeded } from '../../base/random.ts'
import { openSqliteStore } from './sqlite-store.ts'
import { service, storeSuite } from './store.suite.ts'

const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'weft-store-'))
after(() => fs.rmSync(folder, { recursive: true, force: true }))
let files = 0
const newFile = (): string => path.join(folder, String(files++), 'store.db')

storeSuite((clock) => openSqliteStore({ file: newFile(), clock }))

test('a store is there again after a restart, with its history', async () => {
  const file = newFile()
  const first = openSqliteStore({ file, clock: systemClock })
  await first.write([{ put: service('a', 1) }, { put: service('b', 2) }])
  await first.close()
  const second = openSqliteStore({ file, clock: systemClock })
  const { items, revision } = await second.list()
  assert.deepEqual([items.map(({ metadata }) => metadata.name), revision], [['a', 'b'], 2])
  const told: number[] = []
  await second.watch(0, (events) => void told.push(...events.map((event) => event.revision)))
  await second.write([{ put: service('c', 3) }])
  await new Promise(setImmediate)
  assert.deepEqual(told, [1, 2, 3])
  await second.close()
})

test('only its owner can read the files', async () => {
  const file = newFile()
  const store = openSqliteStore({ file, clock: systemClock })
  await store.write([{ put: service('a', 1) }])
  for (const name of fs.readdirSync(path.dirname(file))) {
    assert.equal(fs.statSync(path.join(path.dirname(file), name)).mode & 0o777, 0o600, name)
  }
  await store.close()
})

test('a second control plane on the same file is refused', async () => {
  const file = newFile()
  const store = openSqliteStore({ file, clock: systemClock })
  assert.throws(() => openSqliteStore({ file, clock: systemClock }), /another control plane is using it/)
  await store.close()
})

test('damage is found at the start, with advice', async () => {
  const file = newFile()
  const store = openSqliteStore({ file, clock: systemClock })
  await store.write(Array.from({ length: 200 }, (_, index) => ({ put: service(`service-${index}`, 12_345) })))
  await store.close()
  const sound = fs.readFileSync(file)

  // In the history and in the documents themselves: the same length, so that SQLite notices nothing.
  const flipped = Buffer.from(sound.toString('latin1').replaceAll('"port":12345', '"port":12346'), 'latin1')
  fs.writeFileSync(file, flipped)
  assert.throws(
    () => openSqliteStore({ file, clock: systemClock }),
    /damaged .*checksum of Service default\/service-\d+.*backup/s,
  )

  fs.writeFileSync(file, sound.subarray(0, Math.floor(sound.length / 2)))
  assert.throws(() => openSqliteStore({ file, clock: systemClock }), /damaged/)

  const torn = Buffer.from(sound)
  torn.fill(0xa5, 4096, 8192)
  fs.writeFileSync(file, torn)
  assert.throws(() => openSqliteStore({ file, clock: systemClock }), /damaged/)

  fs.writeFileSync(file, 'this is no database, but it is long enough to look like one'.repeat(100))
  assert.throws(() => openSqliteStore({ file, clock: systemClock }), /damaged/)

  fs.writeFileSync(file, sound)
  const again = openSqliteStore({ file, clock: systemClock })
  assert.equal((await again.list()).items.length, 200)
  await again.close()
})

test('SIGKILL in mid-write loses nothing that was acknowledged and leaves nothing half there', async () => {
  const file = newFile()
  const random = seeded(20)
  const writer = fileURLToPath(new URL('testing/write-loop.ts', import.meta.url))
  let acknowledged = 0
  for (let round = 0; round < 20; round++) {
    const child = spawn(process.execPath, ['--no-warnings', writer, file], { stdio: ['ignore', 'pipe', 'inherit'] })
    const lines = createInterface({ input: child.stdout })
    const enough = 1 + random.index(30)
    let count = 0
    for await (const line of lines) {
      acknowledged = Math.max(acknowledged, Number(line))
      // What comes after the kill was acknowledged too: read to the end.
      if (++count === enough) child.kill('SIGKILL')
    }
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit')
    assert.equal(child.signalCode, 'SIGKILL')
    const started = performance.now()
    const store = openSqliteStore({ file, clock: systemClock })
    assert.ok(performance.now() - started < 1_000)
    const { items, revision } = await store.list()
    // Each write puts the same number into both of its documents.
    const numbers = items.map(({ spec }) => (spec as { ports: { port: number }[] }).ports[0]?.port)
    assert.equal(items.length, 2)
    assert.equal(numbers[0], numbers[1])
    assert.ok(Number(numbers[0]) >= acknowledged, `acknowledged ${acknowledged}, found ${numbers[0]}`)
    assert.equal(revision, Number(numbers[0]) * 2)
    await store.close()
  }
  assert.ok(acknowledged >= 20)
})

/** Makes a store what an older or newer version left behind. */
function asLeftBy(file: string, statements: string): void {
  const database = new DatabaseSync(file)
  database.exec(statements)
  database.close()
}

test('a store of the first schema migrates itself, with all that is in it', async () => {
  const file = newFile()
  const first = openSqliteStore({ file, clock: systemClock, version: '0.1.0' })
  await first.write([{ put: service('a', 1) }])
  await first.close()
  asLeftBy(file, "DELETE FROM meta WHERE name = 'writer'; UPDATE meta SET value = '1' WHERE name = 'schema'")
  const migrated = openSqliteStore({ file, clock: systemClock, version: '0.2.0' })
  const { items, revision } = await migrated.list()
  assert.deepEqual([items.map(({ metadata }) => metadata.name), revision], [['a'], 1])
  await migrated.close()
  const database = new DatabaseSync(file, { readOnly: true })
  const meta = Object.fromEntries(
    database
      .prepare('SELECT name, value FROM meta')
      .all()
      .map(({ name, value }) => [String(name), String(value)]),
  )
  database.close()
  assert.deepEqual([meta['schema'], meta['writer']], ['2', '0.2.0'])
})

test('a store of a newer schema is refused, and says which version it takes', async () => {
  const file = newFile()
  await openSqliteStore({ file, clock: systemClock }).close()
  asLeftBy(
    file,
    "UPDATE meta SET value = '7' WHERE name = 'schema'; UPDATE meta SET value = '3.1.0' WHERE name = 'writer'",
  )
  const before = fs.readFileSync(file)
  assert.throws(
    () => openSqliteStore({ file, clock: systemClock }),
    /has schema 7, this version of Weft knows those up to 2; use Weft 3\.1\.0, which wrote it last, or a newer one/,
  )
  assert.deepEqual(fs.readFileSync(file), before, 'nothing was changed')
  asLeftBy(file, "UPDATE meta SET value = 'much' WHERE name = 'schema'")
  assert.throws(() => openSqliteStore({ file, clock: systemClock }), /has schema much/)
})
