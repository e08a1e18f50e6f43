import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import { test } from 'node:test'
import { startChild } from '../world/child.ts'
import { freePort } from '../world/free-port.ts'
import { requires } from '../world/requires.ts'
import { until } from '../world/until.ts'
import { createWorld } from '../world/world.ts'

// A host outside of the mesh that is known by name and speaks TLS, called in plain text.

test('the mesh asks DNS for a host and speaks TLS to it, whose certificate must be the right one', async (t) => {
  if (!requires(t, 'curl', 'openssl')) return
  const world = createWorld(t)
  const [key, certificate] = [path.join(world.dir, 'key.pem'), path.join(world.dir, 'certificate.pem')]
  const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '1']
  const subject = ['-subj', '/CN=outside', '-addext', 'subjectAltName=DNS:localhost,DNS:pay.example']
  const made = spawnSync('openssl', ['req', '-x509', ...curve, ...subject, '-keyout', key, '-out', certificate])
  assert.equal(made.status, 0, String(made.stderr))
  // `System` is what this machine believes, and that is said by the variable.
  await world.up({ prefix: ['env', `SSL_CERT_FILE=${certificate}`] })
  const port = await freePort()
  const server = ['s_server', '-accept', `127.0.0.1:${port}`, '-key', key, '-cert', certificate, '-www', '-quiet']
  const outside = startChild('outside', ['openssl', ...server], { env: world.env, cwd: world.dir })
  t.after(() => outside.killAll())
  const client = await world.run('client', { port: 0 })
  const external = (name: string, host: string, tls: string): string => `
apiVersion: weft.dev/v1alpha1
kind: ExternalService
metadata: {name: ${name}}
spec:
  hosts: [${host}]
  resolution: DNS
  endpoints: [{address: localhost}]
  ports: [{port: 80, targetPort: ${port}, protocol: http, tls: ${tls}}, {name: raw, port: 5432, targetPort: ${port}, protocol: tcp, tls: ${tls}}]`
  await world.apply(
    [
      external('system', 'pay.example', '{}'),
      external('other', 'other.example', '{}'),
      external('given', 'localhost', `{caCertificates: ${JSON.stringify(fs.readFileSync(certificate, 'utf8'))}}`),
    ].join('\n---'),
  )
  const asked = await world.curlUntil(client, 'http://pay.example/', 200)
  assert.match(asked.body, /TLSv1\.3/, 'the server says what was spoken')
  assert.equal((await world.curlUntil(client, 'http://localhost/', 200)).status, 200, 'by a certificate that was given')
  const raw = await world.curl(client, 'http://pay.example:5432/', { args: ['-p'] })
  assert.match(raw.body, /TLSv1\.3/, 'raw bytes too')
  const wrong = await world.curl(client, 'http://other.example/')
  assert.equal(wrong.status, 503)
  assert.match(wrong.body, /its certificate is for .*pay\.example/)
  const explained = await world.weft(['explain', '--from', 'client', 'GET', 'http://pay.example/'])
  assert.match(explained.out, new RegExp(`127\\.0\\.0\\.1:${port} .*, TLS`))
  outside.killAll()
  await until('the server is gone', async () => (await world.curl(client, 'http://pay.example/')).status === 503)
})
