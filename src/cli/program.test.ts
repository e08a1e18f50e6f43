import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { test, type TestContext } from 'node:test'
import { apiWorld, type ApiWorld } from '../control/api/testing/api-world.ts'
import { main } from './program.ts'

interface Ran {
  readonly status: number
  readonly out: string
  readonly err: string
}

/** Runs a command line in this process; the environment is empty but for what is given. */
async function weft(args: readonly string[], env: Record<string, string> = {}, stdin = ''): Promise<Ran> {
  let out = ''
  let err = ''
  const status = await main(args, {
    out: (text) => void (out += text),
    err: (text) => void (err += text),
    colour: false,
    env: { HOME: '/nonexistent', ...env },
    stdin: async () => stdin,
    ask: async () => (stdin === '' ? undefined : stdin),
  })
  return { status, out, err }
}

const at = ({ dataDir }: ApiWorld): { WEFT_DATA_DIR: string } => ({ WEFT_DATA_DIR: dataDir })

const service = 'apiVersion: v1\nkind: Service\nmetadata: { name: web }\nspec: { ports: [{ port: 80 }] }\n'

function folder(context: TestContext): string {
  const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'weft-cli-'))
  context.after(() => fs.rmSync(dir, { recursive: true }))
  return dir
}

test('help and version exit with 0, wrong usage with 2', async () => {
  const help = await weft(['--help'])
  assert.equal(help.status, 0)
  for (const command of [
    'demo',
    'up',
    'run',
    'apply',
    'get',
    'describe',
    'delete',
    'validate',
    'proxies',
    'config',
    'explain',
    'check',
    'backup',
    'restore',
    'uninstall',
    'capture',
    'token',
  ]) {
    assert.match(help.out, new RegExp(`^  ${command}\\b`, 'm'), command)
    const own = await weft([command, '--help'])
    assert.equal(own.status, 0, command)
    assert.match(own.out, /Examples:\n {2}weft /, command)
  }
  assert.doesNotMatch(help.out, /dashboard/)
  assert.equal((await weft(['--version'])).status, 0)
  const near = await weft(['aply'])
  assert.equal(near.status, 2)
  assert.match(near.err, /Did you mean apply\?/)
  assert.equal((await weft([])).status, 2)
  assert.equal((await weft(['apply'])).status, 2)
  assert.equal((await weft(['get', 'services', '-o', 'xml'])).status, 2)
  assert.equal((await weft(['token'])).status, 2)
})

test('without a control plane every command says how to start one', async (context) => {
  const dir = folder(context)
  for (const command of [
    ['get', 'services'],
    ['proxies'],
    ['config', 'web'],
    ['token', 'create'],
    ['delete', 'service', 'web'],
  ]) {
    const ran = await weft(command, { WEFT_DATA_DIR: dir })
    assert.equal(ran.status, 1, command.join(' '))
    assert.equal(ran.err, `weft: no control plane at ${dir}; start one with: weft up --data-dir ${dir}\n`)
  }
})

test('apply, get, describe and delete', async (context) => {
  const world = await apiWorld(context)
  const env = at(world)
  assert.deepEqual(await weft(['apply', '-f', '-'], env, service), {
    status: 0,
    out: 'Service default/web created\n',
    err: '',
  })
  const table = await weft(['get', 'svc'], env)
  assert.match(table.out, /^NAME +PORTS +ENDPOINTS +FROM +AGE\nweb +80 +- +written +\ds\n$/)
  assert.equal(JSON.parse((await weft(['get', 'services', '-o', 'json'], env)).out).items[0].metadata.name, 'web')
  const yaml = await weft(['get', 'service', 'web', '-o', 'yaml'], env)
  assert.match(yaml.out, /kind: Service/)
  const back = await weft(['apply', '-f', '-'], env, yaml.out)
  assert.equal(back.out, 'Service default/web unchanged\n', back.err)
  assert.match(
    (await weft(['describe', 'service', 'web'], env)).out,
    /Service default\/web[^]*Spec\n {2}ports:[^]*Endpoints\n {2}none/,
  )
  assert.deepEqual(await weft(['delete', 'service', 'web'], env), {
    status: 0,
    out: 'Service default/web deleted\n',
    err: '',
  })
  const gone = await weft(['delete', 'service', 'web'], env)
  assert.equal(gone.status, 1)
  assert.match(gone.err, /Service default\/web does not exist/)
  assert.match((await weft(['get', 'servises'], env)).err, /did you mean Service\?/)
})

test('apply --wait says who serves it, who refused it and why, and who is behind', async (context) => {
  const env = at(await apiWorld(context))
  assert.deepEqual(await weft(['apply', '--wait', '-f', '-'], env, service), {
    status: 0,
    out: 'Service default/web created\nrevision 1: 1 proxy serves it\n',
    err: '',
  })
  assert.deepEqual(await weft(['apply', '--wait', '--timeout', '0s', '-f', '-'], env, service), {
    status: 1,
    out: 'Service default/web unchanged\nrevision 1: 0 proxies serve it, 2 do not\n',
    err:
      'default/a refused RDS default/web/80: no such thing\n' +
      'default/b does not serve it after 0s; it has not acknowledged CDS default/web/80\n',
  })
  const { status, err } = await weft(['apply', '--wait', '--timeout', '10', '-f', '-'], env, service)
  assert.equal(status, 2)
  assert.match(err, /--timeout: expected a duration up to 1h such as "30s", got "10"/)
})

test('problems name file and line, and nothing is written', async (context) => {
  const world = await apiWorld(context, {
    check: (text) => ({
      documents: [],
      problems: [...text.matchAll(/bad/g)].map(({ index }) => ({
        severity: 'error',
        resource: 'Service default/x',
        field: 'spec',
        message: 'is bad',
        place: { file: 'API', line: text.slice(0, index).split('\n').length },
      })),
    }),
  })
  const dir = folder(context)
  fs.writeFileSync(path.join(dir, 'a.yaml'), 'one\ntwo bad')
  fs.writeFileSync(path.join(dir, 'b.yml'), '# first\n\nbad\n')
  fs.writeFileSync(path.join(dir, 'notes.txt'), 'bad')
  const ran = await weft(['apply', '-f', dir], at(world))
  assert.equal(ran.status, 1)
  assert.equal(
    ran.err,
    `${dir}/a.yaml:2: Service default/x: spec: is bad\n${dir}/b.yml:3: Service default/x: spec: is bad\nweft: nothing was applied\n`,
  )
  assert.match((await weft(['apply', '-f', path.join(dir, 'none.yaml')], at(world))).err, /there is no such file/)
  assert.match((await weft(['apply', '-f', folder(context)], at(world))).err, /no file here ends with/)
})

test('delete -f reads kinds and names, last first', async (context) => {
  const world = await apiWorld(context)
  const two = `${service}---\n${service.replace('web', 'api')}`
  await weft(['apply', '-f', '-'], at(world), two)
  const ran = await weft(['delete', '-f', '-'], at(world), two)
  assert.equal(ran.out, 'Service default/api deleted\nService default/web deleted\n')
  assert.equal((await weft(['delete', 'service'], at(world))).status, 2)
})

test('proxies, config and token over the socket; --server with the token of the data directory', async (context) => {
  const world = await apiWorld(context)
  assert.match(
    (await weft(['proxies'], at(world))).out,
    /^PROXY +STATE +REVISION +LDS.*\ndefault\/web-1 +connected 0s +3/,
  )
  assert.equal((await weft(['config', 'web', 'certs'], at(world))).out, 'what: certs\n')
  assert.match((await weft(['config', 'nobody'], at(world))).err, /no proxy default\/nobody; there are default\/web-1/)
  assert.equal((await weft(['config', 'web', 'wrong'], at(world))).status, 2)
  assert.equal((await weft(['token', 'create', '--ttl', '5s'], at(world))).out, 'weft1.x\n')
  assert.equal((await weft(['token', 'create', '--ttl', 'soon'], at(world))).status, 2)
  const server = `http://127.0.0.1:${world.port}`
  assert.equal((await weft(['proxies', '--server', server, '--data-dir', world.dataDir])).status, 0)
  assert.match((await weft(['proxies', '--server', server])).err, /WEFT_API_TOKEN/)
  assert.equal((await weft(['proxies'], { WEFT_SERVER: server, WEFT_API_TOKEN: world.token })).status, 0)
  assert.equal((await weft(['proxies', '--server', 'ftp://x'])).status, 2)
})

test('the command itself: an old-fashioned process with an exit status', () => {
  const ran = spawnSync(
    process.execPath,
    [path.join(import.meta.dirname, 'weft.ts'), 'get', 'services', '--data-dir', '/nonexistent'],
    {
      encoding: 'utf8',
    },
  )
  assert.equal(ran.status, 1)
  assert.equal(ran.stderr, 'weft: no control plane at /nonexistent; start one with: weft up --data-dir /nonexistent\n')
})

test('validate needs no control plane and names file, line and remedy', async (context) => {
  const dir = folder(context)
  fs.writeFileSync(path.join(dir, 'good.yaml'), service)
  assert.deepEqual(await weft(['validate', '-f', dir]), { status: 0, out: 'Service default/web valid\n', err: '' })
  fs.writeFileSync(path.join(dir, 'bad.yaml'), 'kind: Servise\napiVersion: v1\nmetadata: { name: x }\n')
  const bad = await weft(['validate', '-f', dir])
  assert.equal(bad.status, 1)
  assert.match(bad.err, /bad\.yaml:1: .*did you mean Service\?/)
  assert.equal(bad.out, '')
  const json = JSON.parse((await weft(['validate', '-f', dir, '-o', 'json'])).out)
  assert.equal(json.problems.length, 1)
})
