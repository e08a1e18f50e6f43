import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { randomInt } from 'node:crypto'
import path from 'node:path'
import { test, type TestContext } from 'node:test'
import { runToEnd } from '../world/child.ts'
import { readmeBlocks } from '../world/readme-blocks.ts'
import { until } from '../world/until.ts'

const root = path.dirname(path.dirname(import.meta.dirname))

/** Skips aloud without what the Compose file is for. Nobody installs a container engine for our tests, CI neither. */
function canCompose(t: TestContext, { daemon }: { daemon: boolean }): boolean {
  const needs: readonly (readonly [command: readonly string[], remedy: string])[] = [
    [['compose', 'version'], '`docker compose` (install Docker with its Compose plugin)'],
    ...(daemon
      ? ([
          [['version', '--format', '{{.Server.Version}}'], 'a Docker daemon that we may ask (start it)'],
          [['image', 'inspect', 'node:26-slim'], 'the base image (docker pull node:26-slim)'],
        ] as const)
      : []),
  ]
  const missing = needs.find(([command]) => spawnSync('docker', command).status !== 0)
  if (missing !== undefined) t.skip(`needs ${missing[1]}`)
  return missing === undefined
}

test('the Compose file is what Compose understands', (t) => {
  if (!canCompose(t, { daemon: false })) return
  const file = path.join(root, 'deploy/compose/compose.yaml')
  const { stdout, stderr } = spawnSync('docker', ['compose', '-f', file, 'config', '--format', 'json'])
  assert.equal(stderr.toString(), '')
  const { services } = JSON.parse(stdout.toString()) as { services: Record<string, { command?: readonly string[] }> }
  assert.deepEqual(Object.keys(services).toSorted(), ['catalog', 'control-plane', 'token', 'visitor'])
})

test('the Compose file runs a mesh, used as deploy/README.md says', async (t) => {
  if (!canCompose(t, { daemon: true })) return
  const [start = '', reload = '', ...more] = readmeBlocks('deploy/README.md', 'Compose')
  assert.deepEqual(more, [], 'every block of the section is run')
  // A project of its own, beside whatever the user of this machine runs.
  const env = {
    ...(process.env as Record<string, string>),
    COMPOSE_PROJECT_NAME: `weft-test-${randomInt(2 ** 32)}`,
    COMPOSE_FILE: 'deploy/compose/compose.yaml',
  }
  const sh = async (script: string): Promise<string> => {
    const { status, out, err } = await runToEnd(['sh', '-euc', script], { env, cwd: root, withinMs: 60_000 })
    assert.equal(status, 0, `${script}\n${out}${err}`)
    return out
  }
  const hadImage = spawnSync('docker', ['image', 'inspect', 'weft:local']).status === 0
  t.after(() => sh(`docker compose down --volumes --timeout 5${hadImage ? '' : ' --rmi all'}`))
  /** The statuses of the visitor's calls so far, one a second. */
  const statuses = async (): Promise<readonly string[]> =>
    (await sh('docker compose logs --no-log-prefix visitor')).split('\n').filter((line) => /^\d{3}$/.test(line))
  const calls = async (count: number): Promise<void> => {
    const before = (await statuses()).length
    await until(`${count} more calls`, async () => (await statuses()).length >= before + count)
  }

  await sh(start.replace('npm ci\n', ''))
  await until('catalog is reached by its name', async () => (await statuses()).includes('200'))
  const first = (await statuses()).indexOf('200')

  await sh(reload)
  await until('another sidecar', async () => /a new sidecar .* serves/.test(await sh('docker compose logs catalog')))
  await sh('docker compose restart control-plane')
  await calls(2)
  assert.deepEqual([...new Set((await statuses()).slice(first))], ['200'], 'no call is lost')

  // The program crashes, and its container with it; what was asked of it before does not keep Docker from starting it again.
  const kill = 'if grep -q echo.mjs /proc/$child/cmdline; then kill -9 $child; fi'
  await sh(`docker compose exec catalog sh -c 'for child in $(cat /proc/1/task/1/children); do ${kill}; done'`)
  const restarts = "docker inspect --format '{{.RestartCount}}' $(docker compose ps --all --quiet catalog)"
  await until('it has been started again', async () => (await sh(restarts)) === '1\n')
  await until('it serves again', async () => {
    const before = (await statuses()).length
    await calls(1)
    return (await statuses()).slice(before).includes('200')
  })

  await sh('docker compose stop catalog')
  assert.match(await sh('docker compose ps --all --format "{{.ExitCode}} {{.Service}}"'), /^0 catalog$/m)
})
