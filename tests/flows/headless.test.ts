import assert from 'node:assert/strict'
import { test } from 'node:test'
import { canCapture, captured, inside, ourselves } from '../world/capturing.ts'
import { until } from '../world/until.ts'
import { createWorld } from '../world/world.ts'

test('a headless Service: its name has the addresses of its instances, each has a name, and calls are mTLS', async (t) => {
  if (!canCapture(t, ourselves)) return
  const world = createWorld(t)
  await world.up()
  await world.apply(`
apiVersion: v1
kind: Service
metadata: {name: db}
spec: {clusterIP: None, ports: [{name: http, port: 80}, {name: tcp-raw, port: 5432, targetPort: 80}]}
---
apiVersion: weft.dev/v1alpha1
kind: PeerAuthentication
metadata: {name: default}
spec: {mtls: {mode: STRICT}}`)
  const client = await world.run('asker', { port: 0 })
  const one = await world.run('db', { says: 'one', args: captured })
  const two = await world.run('db', { says: 'two', args: captured })
  const nameOf = (body: string): string => (JSON.parse(body) as { name: string }).name
  for (const [instance, says] of [
    [one, 'one'],
    [two, 'two'],
  ] as const) {
    const [, label = ''] = instance.name.split('/')
    const explicit = await world.curlUntil(client, `http://${label || instance.name}.db/`, 200)
    assert.equal(nameOf(explicit.body), says)
  }
  const ask = async (...command: string[]): Promise<string> => {
    const { out, err, status } = await inside(world, ourselves, ...command)
    return status === 0 ? out.trim() : `${status} ${out}${err}`
  }
  const label = one.name.split('/').at(-1) ?? ''
  const script = `
import json, socket, urllib.request
def get(url): return json.load(urllib.request.urlopen(url, timeout=10))["name"]
addresses = sorted({a[4][0] for a in socket.getaddrinfo("db", 80, socket.AF_INET)})
print(json.dumps([addresses, sorted(get("http://%s/" % a) for a in addresses), get("http://${label}.db.default.svc/"), get("http://${label}.db:5432/")]))`
  const seen = JSON.parse(await ask('python3', '-c', script)) as [string[], string[], string, string]
  assert.equal(seen[0].length, 2, seen[0].join())
  assert.deepEqual(seen[1], ['one', 'two'], 'each address is one of them')
  assert.deepEqual(seen.slice(2), ['one', 'one'], 'by its own name, as HTTP and as bytes')
  await two.stop()
  await until('who has gone has no address', async () => {
    const addresses = await ask('python3', '-c', 'import socket; print(socket.gethostbyname_ex("db")[2])')
    return addresses.split(',').length === 1
  })
})
