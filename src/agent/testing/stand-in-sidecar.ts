// A process that speaks a sidecar's IPC messages and answers each connection with one line, so that the agent can be tested alone.
import type { Server } from 'node:net'
import { formatAddress } from '../../base/address.ts'
import type { FromSidecar, ToSidecar } from '../../proxy/sidecar-messages.ts'

const servers: Server[] = []
let identities = 0
let last: Extract<ToSidecar, { kind: 'start' }> | undefined
const say = (message: FromSidecar): void => void process.send?.(message)

process.on('disconnect', () => process.exit(3))
process.on('message', (message: ToSidecar, handle: unknown) => {
  switch (message.kind) {
    case 'listener': {
      const server = handle as Server
      servers.push(server)
      server.on('connection', (socket) => {
        socket.on('error', () => {})
        socket.end(`${process.pid} ${formatAddress(message.address)}\n`)
      })
      return
    }
    case 'start':
      last = message
      identities++
      if (message.service === 'unlucky') {
        say({ kind: 'failed', sentence: 'no luck today' })
        return process.disconnect?.()
      }
      return say({ kind: 'ready' })
    case 'identity':
      identities++
      return
    case 'ask': {
      const { identity: _secret, ...start } = last ?? { identity: undefined }
      const json = { what: message.what, pid: process.pid, identities, start, env: Object.keys(process.env) }
      return say({ kind: 'answer', id: message.id, json })
    }
    case 'drain':
      for (const server of servers) server.close()
      return process.disconnect?.()
  }
})
