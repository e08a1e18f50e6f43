import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import fs from 'node:fs'
import net from 'node:net'
import os from 'node:os'
import path from 'node:path'
import { test, type TestContext } from 'node:test'
import { privateFolder, sweepFolders, type PrivateFolder } from './private-folder.ts'

test('nobody else can look into it, and it goes with all that is in it', (t) => {
  const folder = made(t)
  assert.equal(fs.statSync(path.dirname(folder.bootstrap)).mode & 0o777, 0o700)
  folder.note(4711)
  folder.remove()
  assert.equal(fs.existsSync(path.dirname(folder.bootstrap)), false)
})

test('what a killed agent left is found: the folder, and the process that belongs to it and no other', async (t) => {
  const left = made(t)
  // As after SIGKILL: the socket's file is there and nobody listens.
  const server = net.createServer().listen(left.socket)
  await once(server, 'listening')
  fs.renameSync(left.socket, `${left.socket}.kept`)
  server.close()
  fs.renameSync(`${left.socket}.kept`, left.socket)
  const orphan = spawn('sleep', ['60'], { argv0: `sleep ${left.bootstrap}` })
  t.after(() => void orphan.kill('SIGKILL'))
  left.note(orphan.pid ?? 0)

  const innocent = made(t)
  const other = spawn('sleep', ['60'])
  t.after(() => void other.kill('SIGKILL'))
  innocent.note(other.pid ?? 0)
  const alive = net.createServer().listen(innocent.socket)
  await once(alive, 'listening')
  t.after(() => void alive.close())
  const young = made(t)

  const gone = once(orphan, 'exit')
  assert.ok((await sweepFolders(Date.now())) >= 1)
  assert.deepEqual(await gone, [null, 'SIGKILL'])
  assert.equal(fs.existsSync(path.dirname(left.bootstrap)), false)
  assert.equal(fs.existsSync(innocent.socket), true, 'somebody listens there')
  assert.equal(fs.existsSync(path.dirname(young.bootstrap)), true, 'its agent is about to listen')
  assert.equal(other.exitCode, null)
  await sweepFolders(Date.now() + 120_000)
  assert.equal(fs.existsSync(path.dirname(young.bootstrap)), false, 'nobody ever did')
})

test('a temporary folder that is too long for a socket is refused by name', (t) => {
  const long = path.join(os.tmpdir(), 'l'.repeat(90))
  fs.mkdirSync(long)
  const before = process.env['TMPDIR']
  process.env['TMPDIR'] = long
  t.after(() => {
    if (before === undefined) delete process.env['TMPDIR']
    else process.env['TMPDIR'] = before
    fs.rmSync(long, { recursive: true })
  })
  const refused = privateFolder()
  assert.match('failed' in refused ? refused.failed : '', /too long for a Unix socket: set TMPDIR/)
  assert.deepEqual(fs.readdirSync(long), [])
})

function made(t: TestContext): PrivateFolder {
  const folder = privateFolder()
  assert.ok(!('failed' in folder))
  t.after(() => folder.remove())
  return folder
}
