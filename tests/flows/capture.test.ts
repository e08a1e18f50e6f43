import assert from 'node:assert/strict'
import fs from 'node:fs'
import path from 'node:path'
import { test, type TestContext } from 'node:test'
import { startChild, type Child } from '../world/child.ts'
import { canCapture, captured, inside, machine, ordinary, ourselves, sidecarsOf, type Who } from '../world/capturing.ts'
import { freePort } from '../world/free-port.ts'
import { requires } from '../world/requires.ts'
import { until } from '../world/until.ts'
import { createWorld, type Finished, type World } from '../world/world.ts'

// Programs that know nothing of a mesh, in network namespaces of their own: nothing in their environment names a proxy.

const programs = path.join(import.meta.dirname, '../world/programs')
async function meshFor(t: TestContext, { prefix, uid }: Who): Promise<World> {
  const world = createWorld(t)
  fs.chownSync(world.dir, uid, uid)
  await world.up({ prefix })
  return world
}

for (const who of [ourselves, ordinary]) {
  test(`strangers call services by their names ${who.title}`, async (t) => {
    if (!canCapture(t, who)) return
    const world = await meshFor(t, who)
    const web = await world.run('web', { args: captured, prefix: who.prefix })
    assert.equal(web.env['HTTP_PROXY'], undefined)

    for (const host of ['web', 'web.default', 'web.default.svc', 'web.default.svc.cluster.local', 'web.mesh']) {
      const { out, err, status } = await inside(world, who, 'curl', '-sS', '--max-time', '10', `http://${host}/hello`)
      assert.equal(status, 0, `${host}: ${err}`)
      const seen = JSON.parse(out) as { name: string; path: string; headers: Record<string, string> }
      assert.equal(seen.name, 'web')
      assert.equal(seen.path, '/hello')
      // It came over mTLS: the caller is known.
      assert.match(seen.headers['x-forwarded-client-cert'] ?? '', /URI=spiffe:\/\/weft\.local\/ns\/default\/sa\/client/)
    }
    const urllib = 'import urllib.request, sys; print(urllib.request.urlopen(sys.argv[1], timeout=10).status)'
    const python = await inside(world, who, 'python3', '-c', urllib, 'http://web/')
    assert.equal(python.out.trim(), '200', python.err)
    // A port that the service has not: refused at once, not answered by anybody else.
    const wrong = await inside(world, who, 'curl', '-sS', '--max-time', '10', 'http://web:81/')
    assert.notEqual(wrong.status, 0)
    assert.match(wrong.err, /reset|refused|couldn't connect/i)
  })

  test(`raw TCP to a server that speaks first ${who.title}`, async (t) => {
    if (!canCapture(t, who)) return
    const world = await meshFor(t, who)
    // Two with the same port: each has it in its own namespace.
    for (const says of ['one', 'two']) {
      const port = 5432
      const server = ['python3', `${programs}/speaks-first.py`, String(port)]
      const args = ['run', '--service', `db-${says}`, '--port', `${port}/tcp`, ...captured, '--', ...server]
      const child = world.start(`weft run db-${says}`, args, { prefix: who.prefix })
      await until(`db-${says} is ready`, async () => {
        if (!child.isRunning) throw new Error(child.err)
        return new RegExp(`db-${says} .* yes `).test((await world.weft(['get', 'workloads'])).out)
      })
      const { out, err, status } = await inside(
        world,
        who,
        'python3',
        `${programs}/raw-client.py`,
        `db-${says}`,
        String(port),
      )
      assert.equal(`${status} ${out}`, '0 220 at your service\nall back\n', err)
    }
  })

  test(`the program is itself: user, files, input, exit status, loopback ${who.title}`, async (t) => {
    if (!canCapture(t, who)) return
    const world = await meshFor(t, who)
    const script = `
      id -u; pwd; cat; grep CapEff /proc/self/status
      python3 -m http.server 8099 --bind 127.0.0.1 >/dev/null 2>&1 & server=$!
      for try in 1 2 3 4 5 6 7 8 9; do curl -s -o /dev/null --max-time 5 http://127.0.0.1:8099/ && break; sleep 0.3; done
      echo "own loopback $?"; kill $server; echo "to standard error" >&2; exit 7`
    const ended = await world.weft(['run', '--service', 'client', ...captured, '--', 'sh', '-c', script], {
      prefix: who.prefix,
      input: 'said to it\n',
    })
    const [uid, cwd, input, capabilities = '', loopback] = ended.out.split('\n')
    assert.deepEqual(
      [ended.status, uid, cwd, input, loopback],
      [7, String(who.uid), world.dir, 'said to it', 'own loopback 0'],
      ended.err,
    )
    assert.match(ended.err, /to standard error/)
    const held = BigInt(`0x${capabilities.split(/\s+/)[1]}`)
    const netAdmin = 1n << 12n
    assert.equal(who.uid === 0 ? held & netAdmin : held, 0n, 'it cannot change the rules that hold for it')
    const gone = await inside(world, who, 'no-such-program')
    assert.equal(gone.status, 1)
    assert.match(gone.err, /command not found: no-such-program/)
  })

  test(`whoever called the program on this machine still reaches it, and STRICT stops them ${who.title}`, async (t) => {
    if (!canCapture(t, who)) return
    const world = await meshFor(t, who)
    const web = await world.run('web', { args: captured, prefix: who.prefix })
    const url = `http://127.0.0.1:${web.port}/plain`
    await until('the program is reached', async () => (await world.curl(undefined, url)).status === 200)
    await world.apply(
      'apiVersion: weft.dev/v1alpha1\nkind: PeerAuthentication\nmetadata: {name: default}\nspec: {mtls: {mode: STRICT}}',
    )
    await until('plain text is refused', async () => (await world.curl(undefined, url)).status === 0)
    assert.equal(await web.stop(), 0)
  })

  test(`after SIGKILL of the agent nothing is left ${who.title}`, async (t) => {
    if (!canCapture(t, who)) return
    const world = await meshFor(t, who)
    const web = await world.run('web', { args: captured, prefix: who.prefix })
    const namespaceOf = (pid: number): string => fs.readlinkSync(`/proc/${pid}/ns/net`)
    assert.notEqual(namespaceOf(web.programPid), namespaceOf(process.pid))
    web.child.signal('SIGKILL')
    await until('the program has gone', () => !fs.existsSync(`/proc/${web.programPid}`))
    // The end of the test checks that no process is left; a namespace without processes is none.
  })
}

test('what is outside of the mesh is reached as before, or refused where the mesh says so', async (t) => {
  if (!requires(t, 'root') || !canCapture(t, ourselves)) return
  const address = '192.0.2.10'
  const prefix = machine(t, address)
  // Before the world's own end, which finds everything that is left.
  const others: Child[] = []
  t.after(() => others.forEach((child) => child.killAll()))
  const world = createWorld(t)
  await world.up({ prefix })
  const who: Who = { ...ourselves, prefix }
  const web = await world.run('web', { args: captured, prefix })
  // Ordinary servers beside the mesh, one that speaks HTTP and one that speaks first, on a port where nobody expects that.
  const beside = (name: string, ...command: string[]): void => {
    const [file, ...args] = [...prefix, ...command] as [string, ...string[]]
    others.push(startChild(name, [file, ...args], { env: world.env, cwd: world.dir }))
  }
  beside('http', 'python3', '-m', 'http.server', '8000', '--bind', address)
  beside('raw', 'python3', `${programs}/speaks-first.py`, '2525', address)
  const call = (...args: string[]): Promise<Finished> => inside(world, who, 'curl', '-sS', '--max-time', '10', ...args)
  const status = ['-o', '/dev/null', '-w', '%{http_code}'] as const

  assert.equal(
    (
      await until('the server beside answers', async () => {
        const ended = await call(...status, `http://${address}:8000/`)
        return ended.out === '200' && ended
      })
    ).out,
    '200',
  )
  const raw = await inside(world, who, 'python3', `${programs}/raw-client.py`, address, '2525')
  assert.equal(`${raw.status} ${raw.out}`, '0 220 at your service\nall back\n', raw.err)
  // A name of the mesh in Host is that service, wherever its address was taken from.
  const named = await call('--resolve', `web:80:${address}`, 'http://web/by-host')
  assert.equal((JSON.parse(named.out) as { name: string }).name, 'web')
  const nobodyThere = await call(`http://${address}:8001/`)
  assert.notEqual(nobodyThere.status, 0)

  await world.apply(
    'apiVersion: weft.dev/v1alpha1\nkind: MeshConfig\nmetadata: {name: default}\nspec: {outboundTraffic: {mode: RegisteredOnly}}',
  )
  await until('HTTP is refused with a sentence', async () => {
    const { out } = await call(`http://${address}:8000/`)
    return out.includes('registered services only')
  })
  const refused = await inside(world, who, 'python3', `${programs}/raw-client.py`, address, '2525')
  assert.notEqual(refused.status, 0)
  assert.match(refused.err, /ConnectionResetError/)
  assert.equal((await call(...status, 'http://web/')).out, '200', 'services of the mesh are called as ever')
  assert.equal(await web.stop(), 0)
})

test('a sidecar that is killed is replaced, and nothing of the capture is lost', async (t) => {
  if (!canCapture(t, ourselves)) return
  const world = await meshFor(t, ourselves)
  const web = await world.run('web', { args: captured })
  const script =
    'while ! [ -e go ]; do sleep 0.05; done; exec curl -sS --max-time 15 --retry 5 --retry-connrefused http://web/after'
  const args = ['run', '--service', 'client', ...captured, '--', 'sh', '-c', `touch waiting; ${script}`]
  const client = world.start('weft run client', args)
  await until('the client waits', () => fs.existsSync(path.join(world.dir, 'waiting')))
  for (const { pid } of [client, web.child]) {
    const [sidecar = 0, ...more] = sidecarsOf(pid ?? 0)
    assert.deepEqual(more, [])
    process.kill(sidecar, 'SIGKILL')
  }
  world.file('go', '')
  assert.equal(await client.ended, 0, client.err)
  assert.match(client.out, /"path":"\/after"/)
})

test('sidecars that are upgraded go on with what was captured, names and calls', async (t) => {
  if (!canCapture(t, ourselves)) return
  const world = await meshFor(t, ourselves)
  const port = await freePort()
  // Asked inside, where the program is.
  const checks = ['--ready', `http://:${port}/status/204`, '--ready', 'exec:test -n "$WEFT_WORKLOAD"']
  const web = await world.run('web', { port, args: [...captured, ...checks] })
  const calls = `curl -sS --max-time 15 --rate 100/s -o /dev/null -w '%{stderr}%{http_code}\\n' 'http://web/[1-250]'`
  const later = 'curl -sS --max-time 15 http://web.default.svc.cluster.local/after'
  const args = ['run', '--service', 'client', ...captured, '--', 'sh', '-c', `${calls}; ${later}`]
  const client = world.start('weft run client', args)
  await client.said(/^200\n200\n/m)
  for (const child of [client, web.child]) {
    child.signal('SIGHUP')
    await child.said(/a new sidecar \(process \d+\) serves/)
  }
  assert.equal(await client.ended, 0, client.err)
  // curl writes a status in pieces: a line of ours may come between them.
  const told = client.err.replaceAll(/weft run: .*\n/g, '')
  assert.equal(told.match(/^200$/gm)?.length, 250, client.err)
  assert.match(client.out, /"path":"\/after"/)
})

test('where it does not work, namespace says so and auto goes on without', async (t) => {
  if (!requires(t, 'linux')) return
  const world = createWorld(t)
  await world.up()
  const bin = path.join(world.dir, 'bin')
  fs.mkdirSync(bin)
  // No `unshare`, nor anything else, on this path.
  fs.symlinkSync('/bin/true', path.join(bin, 'true'))
  const run = (capture: string): Promise<Finished> =>
    world.weft(['run', '--service', 'client', '--capture', capture, '--', 'true'], {
      prefix: ['/usr/bin/env', `PATH=${bin}`],
    })
  const refused = await run('namespace')
  assert.equal(refused.status, 1)
  assert.match(refused.err, /--capture namespace does not work here: `unshare` is not installed/)
  const automatic = await run('auto')
  assert.equal(automatic.status, 0, automatic.err)
  assert.match(automatic.err, /capture is explicit \(HTTP_PROXY\), transparent capture does not work here: `unshare`/)
})

test('datagrams to outside never come to the program itself, which keeps its own loopback', async (t) => {
  if (!canCapture(t, ourselves)) return
  const world = await meshFor(t, ourselves)
  await world.run('web', { args: captured })
  const script = `
import socket
mine = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
mine.bind(("0.0.0.0", 0))
mine.settimeout(5)
port = mine.getsockname()[1]
other = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
try:
    other.sendto(b"away", ("192.0.2.1", port))
    print("sent")
except PermissionError: print("refused")
other.sendto(b"own", ("127.0.0.1", port))
print(mine.recv(100).decode(), socket.gethostbyname("web").startswith("24"))`
  const { out, err } = await inside(world, ourselves, 'python3', '-c', script)
  assert.equal(out, 'sent\nown True\n', err)
})
