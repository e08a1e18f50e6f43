import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { test, type TestContext } from 'node:test'
import { startCurlLoad } from '../world/curl.ts'
import { readmeBlocks } from '../world/readme-blocks.ts'
import { requires } from '../world/requires.ts'
import { bootMachine, type SystemdMachine } from '../world/systemd-machine.ts'
import { until } from '../world/until.ts'
import { echoProgram } from '../world/world.ts'

const root = path.dirname(path.dirname(import.meta.dirname))
const deploy = path.join(root, 'deploy')

/** What the command said, in one; undefined and a skip aloud where it is not installed. */
function ask(t: TestContext, remedy: string, [command = '', ...args]: readonly string[]): string | undefined {
  const { status, stdout, stderr, error } = spawnSync(command, args, { encoding: 'utf8' })
  if (error === undefined) return `${status} ${stdout}${stderr}`
  t.skip(`needs ${command} (${remedy})`)
  return undefined
}

test('the systemd units are what systemd understands', (t) => {
  const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'weft-units-'))
  t.after(() => fs.rmSync(dir, { recursive: true }))
  // The command is looked for: where it is installed is the only thing that differs here.
  for (const name of fs.readdirSync(path.join(deploy, 'systemd'))) {
    const text = fs.readFileSync(path.join(deploy, 'systemd', name), 'utf8')
    fs.writeFileSync(path.join(dir, name), text.replaceAll('/usr/local/bin/weft', path.join(root, 'bin/weft')))
  }
  const units = fs.readdirSync(dir).map((name) => path.join(dir, name))
  const said = ask(t, 'install systemd', ['systemd-analyze', 'verify', '--man=no', ...units])
  if (said === undefined) return
  assert.doesNotMatch(said, /weft.*\.service/, said)
  fs.appendFileSync(path.join(dir, 'weft.service'), 'Unknown\n[Service]\nKillMode=gently\n')
  assert.match(ask(t, '', ['systemd-analyze', 'verify', '--man=no', ...units]) ?? '', /weft\.service/, 'it does look')
})

/** What the visitor, by its sidecar, got from orders: who answered whom. */
async function visit(machine: SystemdMachine, what = ''): Promise<{ readonly pid: number; readonly caller: string }> {
  const url = `http://127.0.0.1:8081/call?url=http://orders/${what}`
  const said = await machine.sh(`curl --fail-with-body --silent --show-error --max-time 15 '${url}'`)
  const { pid, headers } = JSON.parse(said) as { pid: number; headers: Record<string, string> }
  return { pid, caller: headers['x-forwarded-client-cert'] ?? '' }
}
const visited = (machine: SystemdMachine): ReturnType<typeof visit> =>
  until('the visitor reaches orders', () => visit(machine))

const orders = 'weft-run@orders'
const mainPid = async (machine: SystemdMachine, unit = orders): Promise<string> =>
  (await machine.sh(`systemctl show --property MainPID --value ${unit}`)).trim()
/** Process ids of the agent's sidecars: two, while one takes over from the other. */
async function sidecars(machine: SystemdMachine): Promise<readonly string[]> {
  const agent = await mainPid(machine)
  const said = await machine.sh(`
    for child in $(cat /proc/${agent}/task/${agent}/children); do
      if grep -q sidecar.js /proc/$child/cmdline; then echo $child; fi
    done`)
  return said.split('\n').filter((pid) => pid !== '')
}

test('the systemd units run a mesh, set up as deploy/README.md says', async (t) => {
  if (!requires(t, 'linux', 'root', 'systemctl', 'unshare', 'nsenter', 'setpriv', 'useradd', 'ip', 'curl')) return
  const machine = await bootMachine(t)
  if (machine === undefined) return
  await machine.sh('ip address add 192.0.2.10/32 dev lo')
  // Programs that SIGTERM ends at once, as it ends most.
  await machine.write('/opt/echo.mjs', fs.readFileSync(echoProgram, 'utf8').replaceAll(/^process\.on\('SIG.*\n/gm, ''))
  for (const [name, port] of Object.entries({ orders: 8080, visitor: 8081 }))
    await machine.write(`/usr/local/bin/${name}`, `#!/bin/sh\nexec node /opt/echo.mjs ${name} ${port} /tmp/${name}\n`)

  const [controlPlane = '', here = '', token = '', there = '', ...more] = readmeBlocks('deploy/README.md', 'systemd')
  assert.deepEqual(more, [], 'every block of the section is run')
  await machine.sh(controlPlane)
  // Nothing says yet what it is.
  await machine.sh('! systemctl start weft-run@late')
  await machine.sh(here)
  await machine.sh(token)
  await machine.write(
    '/etc/weft/run/visitor.env',
    'WEFT_COMMAND=/usr/local/bin/visitor\nWEFT_RUN_ARGS=--port 8081 --capture explicit\n',
  )
  await machine.sh(there)
  const first = await visited(machine)
  assert.match(first.caller, /URI=spiffe:\/\/weft\.local\/ns\/default\/sa\/visitor/)

  await t.test('reload replaces the sidecar, and no call is lost', async () => {
    const [agent, before] = [await mainPid(machine), await sidecars(machine)]
    const url = 'http://127.0.0.1:8081/call?url=http://orders/'
    const load = startCurlLoad(url, { prefix: machine.prefix }, { env: { PATH: process.env['PATH'] ?? '' }, cwd: '/' })
    const underWay = visit(machine, 'slow/1500')
    await load.more(20)
    await machine.sh(`systemctl reload ${orders}`)
    await until('another sidecar, alone', async () => (await sidecars(machine)).every((pid) => !before.includes(pid)))
    await load.more(50)
    await load.stop()
    assert.equal((await underWay).pid, first.pid)
    assert.deepEqual(load.failures, [])
    assert.equal(await mainPid(machine), agent)
  })

  await t.test('the control plane can be restarted, and killed, beneath its workloads', async () => {
    await machine.sh('systemctl restart weft')
    assert.equal((await visit(machine)).pid, first.pid)
    await machine.sh('systemctl kill -s KILL weft')
    assert.equal((await visit(machine)).pid, first.pid)
    await until('it is back', async () => (await machine.sh('systemctl is-active weft || true')) === 'active\n')
  })

  await t.test('a killed agent comes back, with a new token', async () => {
    const tokenFile = 'cat /etc/weft/run/orders.token'
    const before = await machine.sh(tokenFile)
    await machine.sh(`kill -9 ${await mainPid(machine)}`)
    await until('the new program answers', async () => (await visit(machine)).pid !== first.pid)
    assert.notEqual(await machine.sh(tokenFile), before)
  })

  await t.test('stop drains: the call that is under way is answered, and nothing has failed', async () => {
    const underWay = visit(machine, 'slow/1000')
    await until('it has arrived', async () => /slow/.test(await machine.sh('curl -s http://127.0.0.1:8080/seen')))
    const begin = performance.now()
    await machine.sh(`systemctl stop ${orders}`)
    assert.ok(performance.now() - begin < 10_000, 'within the time of the unit, by far')
    await underWay
    await machine.sh('systemctl stop weft-run@visitor weft')
    assert.match(await machine.sh('systemctl list-units --failed --no-legend --plain "weft*"'), /^$/)
  })

  await t.test('what fails is tried for as long as it takes', async () => {
    const tried = async (): Promise<number> =>
      Number(await machine.sh('systemctl show --property NRestarts --value weft-run@late'))
    await until('more often than systemd has patience for by itself', async () => (await tried()) > 6)
    await machine.sh(
      'cp /etc/weft/run/visitor.env /etc/weft/run/late.env; cp /etc/weft/run/visitor.token /etc/weft/run/late.token',
    )
    await until(
      'it is there',
      async () => (await machine.sh('systemctl is-active weft-run@late || true')) === 'active\n',
    )
    await machine.sh('systemctl stop weft-run@late')
  })

  await t.test('what is enabled starts with the machine', async () => {
    await machine.sh('systemctl isolate multi-user.target')
    await visited(machine)
  })
})
