import assert from 'node:assert/strict'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { test } from 'node:test'
import { createSecretFile, ensureSecretDirectory, readSecretFile } from './secret-file.ts'

const folder = (t: { after(done: () => void): void }): string => {
  const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'weft-secret-'))
  t.after(() => fs.rmSync(dir, { recursive: true, force: true }))
  return dir
}

test('a secret is 0600 from the first moment, whatever the umask', (t) => {
  const dir = folder(t)
  const seen: number[] = []
  const watched = fs.linkSync
  // The only moment before the name appears at which the file can be seen.
  t.mock.method(fs, 'linkSync', (from: string, to: string) => {
    seen.push(fs.statSync(from).mode & 0o777)
    watched(from, to)
  })
  const umask = process.umask(0)
  t.after(() => process.umask(umask))
  assert.equal(createSecretFile(path.join(dir, 'key'), 'secret'), 'created')
  assert.deepEqual(seen, [0o600])
  assert.equal(fs.statSync(path.join(dir, 'key')).mode & 0o777, 0o600)
  assert.deepEqual(fs.readdirSync(dir), ['key'], 'nothing else is left behind')
})

test('the first writer wins', (t) => {
  const file = path.join(folder(t), 'key')
  assert.equal(createSecretFile(file, 'first'), 'created')
  assert.equal(createSecretFile(file, 'second'), 'exists')
  assert.deepEqual(readSecretFile(file), { kind: 'content', text: 'first' })
})

test('a link, open permissions and a directory are refused, an absent file is not', (t) => {
  const dir = folder(t)
  const at = (name: string): string => path.join(dir, name)
  fs.writeFileSync(at('open'), 'secret', { mode: 0o644 })
  createSecretFile(at('good'), 'secret')
  fs.symlinkSync(at('good'), at('link'))
  fs.mkdirSync(at('dir'))
  const why = (name: string): string => {
    const read = readSecretFile(at(name))
    return read.kind === 'refused' ? read.why : read.kind
  }
  assert.match(why('open'), /may be read by others \(mode 644\)/)
  assert.match(why('link'), /is a symbolic link/)
  assert.match(why('dir'), /is not a regular file/)
  assert.equal(why('none'), 'absent')
})

test('a link swapped in under the name is not written through', (t) => {
  const dir = folder(t)
  const victim = path.join(dir, 'victim')
  fs.writeFileSync(victim, 'untouched')
  fs.symlinkSync(victim, path.join(dir, 'key'))
  assert.equal(createSecretFile(path.join(dir, 'key'), 'secret'), 'exists')
  assert.equal(fs.readFileSync(victim, 'utf8'), 'untouched')
})

test('the directory is closed to others, also one that was there', (t) => {
  const dir = path.join(folder(t), 'a/b')
  ensureSecretDirectory(dir)
  assert.equal(fs.statSync(dir).mode & 0o777, 0o700)
  fs.chmodSync(dir, 0o755)
  ensureSecretDirectory(dir)
  assert.equal(fs.statSync(dir).mode & 0o777, 0o700)
})
