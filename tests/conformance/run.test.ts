import assert from 'node:assert/strict'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { test } from 'node:test'
import { processesWith, runToEnd, startChild } from '../world/child.ts'
import { until } from '../world/until.ts'
import { requires } from '../world/requires.ts'
import type { Case } from './case.ts'
import { notClaimed } from './claims.ts'
import { firstDifference, shareDifference } from './compare.ts'

const runner = path.join(import.meta.dirname, 'run.ts')
const place = { env: process.env as Record<string, string>, cwd: import.meta.dirname }

test('conformance: the cases of the project pass', async (t) => {
  if (!requires(t, 'curl')) return
  const { status, out, err } = await runToEnd([process.execPath, runner, '.', '--jobs', '2'], {
    ...place,
    withinMs: 90_000,
  })
  assert.equal(status, 0, `${out}${err}`)
  assert.match(out, /^mesh-http SoupShared: pass/m)
  assert.match(out, /^2 passed, 0 failed, 0 skipped$/m)
})

test('conformance: a wrong answer fails its case by name, with the difference, and the run', async (t) => {
  if (!requires(t, 'curl')) return
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'weft-cases-'))
  t.after(() => fs.rmSync(folder, { recursive: true, force: true }))
  fs.mkdirSync(path.join(folder, 'cases'))
  fs.copyFileSync(path.join(import.meta.dirname, 'echo.mjs'), path.join(folder, 'echo.mjs'))
  const text = fs.readFileSync(path.join(import.meta.dirname, 'cases/SoupShared.json'), 'utf8')
  const good = JSON.parse(text) as Case
  const write = (one: object): void => {
    const { name } = { name: '', ...one }
    fs.writeFileSync(path.join(folder, `cases/${name}.json`), JSON.stringify(one))
  }
  const [request, ...others] = good.steps
  write({ ...good, name: 'Gate', group: 'gateway-none' })
  // A sample has one try only, so that the test need not wait for a step's whole time.
  write({
    ...good,
    name: 'Wrong',
    steps: [request, { ...request, type: 'sample', expect: { statuses: [418] } }, ...others],
  })
  const { status, out } = await runToEnd([process.execPath, runner, folder], { ...place, withinMs: 90_000 })
  assert.equal(status, 1, out)
  assert.match(out, /^gateway-none Gate: not claimed: the group gateway-none is not known$/m)
  assert.match(out, /^mesh-http Wrong: FAIL .*: an answer: status 200, expected 418/m)
  assert.match(out, /^0 passed, 1 failed, 1 skipped$/m)
})

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
  test(`conformance: a run that ${signal} interrupts leaves no process and no folder`, async (t) => {
    if (!requires(t, 'linux') || !requires(t, 'curl')) return
    const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'weft-interrupted-'))
    t.after(() => fs.rmSync(folder, { recursive: true, force: true }))
    const env = { ...place.env, TMPDIR: folder }
    const run = startChild('a run', [process.execPath, runner, '.', '--jobs', '2'], { ...place, env })
    // Of each world's processes: control plane, agents, sidecars, backends.
    const started = (): readonly string[] => processesWith('TMPDIR', `${folder}/`).map(({ command }) => command)
    await until('backends run', () => started().filter((command) => command.includes('backend.mjs')).length > 1)
    run.signal(signal)
    await run.ended
    await until('no process is left', () => started().length === 0 || assert.fail(started().join('\n')))
    assert.deepEqual(fs.readdirSync(folder), [])
  })

test('conformance: what is claimed decides what runs', () => {
  assert.equal(notClaimed('One', 'mesh-http', ['Mesh', 'HTTPRoute']), undefined)
  assert.match(notClaimed('One', 'mesh-http', ['Mesh', 'Nobody']) ?? '', /Nobody: not claimed/)
  assert.match(notClaimed('One', 'nobody', []) ?? '', /not known/)
  assert.match(notClaimed('One', 'mesh-http', [], ['Mesh']) ?? '', /without Mesh/)
})

test('conformance: each part of an expectation is compared', () => {
  const echo = {
    method: 'GET',
    path: '/a?b=c',
    host: 'web',
    namespace: 'ns',
    pod: 'web-x-0',
    headers: { 'X-A': ['1', '2'] },
  }
  const reply = { status: 200, headers: { 'x-b': ['3'] }, body: JSON.stringify(echo), error: '' }
  const moved = { status: 302, headers: { location: ['https://inn:8443/b'] }, body: '', error: '' }
  const same = (one: typeof moved | typeof reply, expected: Parameters<typeof firstDifference>[2]): string =>
    firstDifference(one, 'http://web/a', expected) ?? 'fits'
  assert.equal(
    same(reply, {
      statuses: [200],
      backend: { service: 'web', namespace: 'ns' },
      backendRequest: { path: '/a?b=c', headers: { 'x-a': '1,2' }, absentHeaders: ['X-C'] },
      responseHeaders: { 'X-B': '3' },
      absentResponseHeaders: ['X-A'],
    }),
    'fits',
  )
  assert.match(same(reply, { statuses: [404] }), /^status 200, expected 404/)
  assert.match(same(reply, { statusesNot: [200] }), /must not be/)
  assert.match(same(reply, { backend: { service: 'we' } }), /^backend is "web", expected "we"/)
  assert.match(same(reply, { backend: { namespace: 'other' } }), /^namespace/)
  assert.match(same(reply, { backendRequest: { path: '/' } }), /^path/)
  assert.match(same(reply, { backendRequest: { host: 'other' } }), /^host/)
  assert.match(same(reply, { backendRequest: { headers: { 'X-A': '1' } } }), /^request header X-A is "1,2"/)
  assert.match(same(reply, { backendRequest: { absentHeaders: ['x-a'] } }), /must be absent/)
  assert.match(same(reply, { responseHeaders: { 'x-c': '3' } }), /^response header x-c is undefined/)
  assert.match(same({ ...reply, body: '{}' }, { backend: {} }), /^no echo backend/)
  assert.match(same({ ...reply, status: 0, error: 'refused' }, {}), /^no answer: refused/)
  assert.equal(same({ ...moved, status: 408 }, { statuses: [504] }), 'fits')
  assert.equal(same(moved, { redirect: { scheme: 'https', host: 'inn', port: 8443, path: '/b' } }), 'fits')
  assert.match(same(moved, { redirect: { port: 'default' } }), /^port of Location is "8443", expected "443"/)
  assert.match(same(moved, { redirect: { scheme: 'http' } }), /^scheme/)
  assert.match(same(reply, { redirect: {} }), /^no Location/)
})

test('conformance: shares fit within the tolerance, weight 0 gets nothing, strangers never answer', () => {
  const answers = [...Array<string>(7).fill('a'), ...Array<string>(3).fill('b')]
  const weights = (a: number, b: number): object => ({ weights: { a, b, c: 0 }, tolerance: 0.05 })
  assert.equal(shareDifference(answers, weights(0.7, 0.3)), undefined)
  assert.match(shareDifference(answers, weights(0.6, 0.4)) ?? '', /^share of a is 0.700, expected 0.6/)
  assert.match(shareDifference([...answers, 'c'], weights(0.65, 0.28)) ?? '', /share of c/)
  assert.match(shareDifference([...answers, undefined], weights(0.7, 0.3)) ?? '', /^nobody has answered 1 times/)
})
