import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import fs from 'node:fs'
import http from 'node:http'
import os from 'node:os'
import path from 'node:path'
import { test, type TestContext } from 'node:test'
import type { FilterChain } from '../../src/proxy/config.ts'
import { buildCluster, buildConfig, buildInbound } from '../../src/proxy/testing/build-config.ts'
import { createTestAuthority } from '../../src/proxy/testing/certificates.ts'
import { ownAddress, program, startProxy } from '../../src/proxy/testing/world.ts'
import { requires } from '../world/requires.ts'

/** The cases that need not pass over `transport`. */
const droppedFor = (transport: 'plain' | 'tls'): readonly string[] =>
  fs
    .readFileSync(path.join(import.meta.dirname, 'h2spec-dropped.txt'), 'utf8')
    .split('\n')
    .filter((line) => line.startsWith(`${transport} `) || line.startsWith('both '))
    .map((line) => line.slice(line.indexOf(' ') + 1, line.indexOf(':')))

interface Outcome {
  readonly ran: number
  readonly failed: readonly string[]
}

/** Runs the whole of h2spec against a port; its JUnit report says what failed. */
function h2spec(t: TestContext, port: number, ...flags: readonly string[]): Promise<Outcome> {
  const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'weft-h2spec-'))
  t.after(() => fs.rmSync(dir, { recursive: true, force: true }))
  const report = path.join(dir, 'report.xml')
  const args = ['-h', '127.0.0.1', '-p', String(port), '-o', '2', '-j', report, ...flags]
  return new Promise((resolve, reject) => {
    execFile('h2spec', args, { timeout: 150_000, maxBuffer: 10_000_000 }, (_error, stdout, stderr) => {
      if (!fs.existsSync(report)) return reject(new Error(`h2spec made no report: ${stdout}${stderr}`))
      resolve(readReport(fs.readFileSync(report, 'utf8')))
    })
  })
}

/** Cases are numbered by their place in their section, as h2spec's own arguments number them. */
function readReport(xml: string): Outcome {
  const failed: string[] = []
  let ran = 0
  for (const [, attributes = '', body = ''] of xml.matchAll(/<testsuite ([^>]*)>([\s\S]*?)<\/testsuite>/g)) {
    let number = 0
    for (const [whole, own = ''] of body.matchAll(/<testcase ([^>]*?)(?:\/>|>[\s\S]*?<\/testcase>)/g)) {
      number++
      ran++
      const section = /package="([^"]*)"/.exec(own)?.[1] ?? attributes
      if (/<failure|<error/.test(whole)) failed.push(`${section}/${number}`)
    }
  }
  return { ran, failed }
}

/** A program behind an inbound sidecar: h2spec's requests are bridged to HTTP/1.1. */
async function inbound(t: TestContext, tls: boolean): Promise<number> {
  const server = http.createServer((request, response) => {
    request.resume().on('end', () => response.end('hello from the program'))
  })
  const upstream = await program(t, (socket) => void server.emit('connection', socket))
  const address = await ownAddress(t)
  const listener = buildInbound(address, 'program', { mesh: false })
  const cluster = buildCluster('program', [upstream])
  if (!tls) {
    await startProxy(t, buildConfig({ listeners: [listener], clusters: [cluster] }))
    return address.port
  }
  const identity = await (await createTestAuthority()).issue('spiffe://weft.local/ns/default/sa/web')
  const filterChains: FilterChain[] = listener.filterChains.map((chain) => ({
    ...chain,
    match: { ...chain.match, transportProtocol: undefined },
    tls: {
      certificate: 'own',
      trust: undefined,
      peer: { kind: 'names', oneOf: [] },
      requireClientCertificate: false,
      alpn: ['h2', 'http/1.1'],
    },
  }))
  const config = buildConfig({ listeners: [{ ...listener, filterChains }], clusters: [cluster] })
  await startProxy(t, config, { identity })
  return address.port
}

for (const tls of [false, true])
  test(`h2spec passes ${tls ? 'over TLS' : 'in plain text'}, but for what RFC 9113 dropped`, async (t) => {
    if (!requires(t, 'h2spec')) return
    const port = await inbound(t, tls)
    const { ran, failed } = await h2spec(t, port, ...(tls ? ['-t', '-k'] : []))
    assert.ok(ran >= 145, `only ${ran} cases ran`)
    assert.deepEqual(failed.toSorted(), droppedFor(tls ? 'tls' : 'plain').toSorted())
  })
