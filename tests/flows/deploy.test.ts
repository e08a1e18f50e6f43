import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { test, type TestContext } from 'node:test'

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
  const units = [path.join(dir, 'weft.service'), path.join(dir, 'weft-run@.service')]
  const said = ask(t, 'install systemd', ['systemd-analyze', 'verify', '--man=no', ...units])
  if (said === undefined) return
  assert.doesNotMatch(said, /weft.*\.service/, said)
  fs.appendFileSync(path.join(dir, 'weft.service'), 'Unknown\n[Service]\nKillMode=gently\n')
  assert.match(ask(t, '', ['systemd-analyze', 'verify', '--man=no', ...units]) ?? '', /weft\.service/, 'it does look')
})

test('the Compose file is what Compose understands', (t) => {
  const version = ask(t, 'install Docker with its Compose plugin', ['docker', 'compose', 'version'])
  if (version === undefined) return
  if (!version.startsWith('0 ')) return t.skip('needs `docker compose` (install its Compose plugin)')
  const file = path.join(deploy, 'compose/compose.yaml')
  const said = ask(t, '', ['docker', 'compose', '-f', file, 'config', '--format', 'json']) ?? ''
  assert.match(said, /^0 /, said)
  const { services } = JSON.parse(said.slice(2)) as { services: Record<string, { command?: readonly string[] }> }
  assert.deepEqual(Object.keys(services).toSorted(), ['catalog', 'control-plane', 'token', 'visitor'])
})
