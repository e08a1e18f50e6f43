import { once } from 'node:events'
import fs from 'node:fs'
import net, { type Socket } from 'node:net'
import os from 'node:os'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { makeCertificates } from '../certificates.ts'
import { freePort, residentMb } from '../process.ts'
import { formatTable } from '../statistics.ts'
import { contenders, startProxies } from './proxies.ts'
import { webServer } from './scenarios.ts'

/** Resident memory of one proxy, MB. */
export interface Memory {
  readonly name: string
  readonly version: string
  /** Five seconds after its start, and after its first request. */
  readonly idle: number
  /** With so many clients, each of which has asked once and keeps its connection; ten seconds later. */
  readonly withConnections: number
}

export const connections = 1000
const settleMs = 10_000
const idleMs = 5_000

/** One request over a connection that stays. */
async function ask(port: number): Promise<Socket> {
  const socket = net.connect(port, '127.0.0.1')
  await once(socket, 'connect')
  socket.write('GET / HTTP/1.1\r\nHost: web\r\n\r\n')
  const [reply] = (await once(socket, 'data')) as [Buffer]
  if (!reply.toString('latin1').startsWith('HTTP/1.1 200')) throw new Error(reply.toString('latin1'))
  return socket
}

/** Every contender, one after the other. */
export async function measureMemory(say: (line: string) => void): Promise<readonly Memory[]> {
  const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'weft-bench-'))
  const backendPort = await freePort()
  const backend = await webServer(path.join(dir, 'backend'), backendPort)
  const measured: Memory[] = []
  try {
    for (const contender of contenders) {
      const found = contender.find()
      if ('missing' in found) {
        say(`skipped ${contender.name}: ${found.missing}`)
        continue
      }
      const places = { dir, backendPort, certificates: makeCertificates(dir) }
      const started = await startProxies(contender, { protocol: 'h2', mtls: false }, places)
      const pid = started.proxies[0]?.pids[0] ?? 0
      await sleep(idleMs)
      const sockets = [await ask(started.port)]
      const idle = residentMb(pid)
      while (sockets.length < connections) sockets.push(await ask(started.port))
      await sleep(settleMs)
      measured.push({ name: contender.name, version: found.version, idle, withConnections: residentMb(pid) })
      for (const socket of sockets) socket.destroy()
      await started.stop()
    }
    return measured
  } finally {
    await backend.stop()
    fs.rmSync(dir, { recursive: true, force: true })
  }
}

export const formatMemory = (measured: readonly Memory[]): string =>
  formatTable([
    ['resident MB of one proxy', 'idle', `${connections} connections`],
    ...measured.map(({ name, version, idle, withConnections }) => [
      `${name} ${version}`,
      idle.toFixed(0),
      withConnections.toFixed(0),
    ]),
  ])
