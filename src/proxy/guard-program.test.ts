import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { test, type TestContext } from 'node:test'
import { systemClock } from '../base/clock.ts'
import { guardProgram } from './guard-program.ts'

async function startNode(t: TestContext, script: string): Promise<{ pid: number; signal: Promise<string | null> }> {
  const child = spawn(process.execPath, ['-e', `${script}; setInterval(() => {}, 1000); console.log('up')`], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  t.after(() => child.kill('SIGKILL'))
  const signal = once(child, 'exit').then(([, name]) => name as string | null)
  await once(child.stdout, 'data')
  return { pid: child.pid ?? 0, signal }
}

test('a program is asked to end, and the end is awaited', async (t) => {
  const { pid, signal } = await startNode(t, '')
  const guard = guardProgram(systemClock)
  guard.is(pid)
  guard.end()
  await guard.ended
  assert.equal(await signal, 'SIGTERM')
})

test('a program that will not end is ended', async (t) => {
  const { pid, signal } = await startNode(t, "process.on('SIGTERM', () => {})")
  const guard = guardProgram({ ...systemClock, nowMs: () => systemClock.nowMs() * 50 })
  guard.is(pid)
  guard.end()
  await guard.ended
  assert.equal(await signal, 'SIGKILL')
})

test('nobody is touched when there is no program, or no more', async (t) => {
  const { pid } = await startNode(t, '')
  const guard = guardProgram(systemClock)
  guard.is(pid)
  guard.is(undefined)
  guard.end()
  await guard.ended
  assert.ok(process.kill(pid, 0))
})
