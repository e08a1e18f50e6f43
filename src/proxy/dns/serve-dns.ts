import type { Socket as Datagrams } from 'node:dgram'
import type { Server, Socket } from 'node:net'
import type { Clock, Timer } from '../../base/clock.ts'
import { framed, type Forward } from './forward.ts'
import type { AnswerCache } from './answer-cache.ts'
import type { MeshAnswer } from './mesh-names.ts'
import { answerReply, dns, failureReply, readQuery, type Question } from './message.ts'

/** What a DNS server answers from. */
export interface DnsParts {
  /** What the mesh says to a question; undefined: it is not about a name of the mesh. */
  readonly lookup: (question: Question) => MeshAnswer | undefined
  readonly forward: Forward
  /** Of what `forward` answered. */
  readonly cache: AnswerCache
  /** What became of each query, for counting. */
  readonly answered: (how: 'mesh' | 'cached' | 'forwarded' | 'failed') => void
  readonly clock: Clock
}

/** A bound UDP socket at work; `stop` leaves what comes from now on to others that have it too. */
export interface ReceivingDatagrams {
  readonly socket: Datagrams
  readonly stop: () => void
}

/** A DNS server at work on sockets that were handed to it. */
export interface DnsServer {
  /** Takes queries by UDP too, from a bound socket. */
  addUdp(socket: ReceivingDatagrams): void
  /** Takes no more queries by UDP; those it has are answered. */
  stopReceiving(): void
  addTcp(server: Server): void
  close(): void
}

/** Long enough to spare most questions; a service that is removed and made anew keeps its address. What is not there yet has no time. */
const ttlSeconds = 30
const idleMs = 10_000
const largestMessage = 65_535
const maxConnections = 256

/** Names of the mesh are answered here; everything else is asked elsewhere, and the answer passed on as it is, and kept as long as it says. */
export function createDnsServer(parts: DnsParts): DnsServer {
  const { lookup, forward, cache, answered, clock } = parts
  const opened: { close(): unknown }[] = []
  const receiving: (() => void)[] = []
  const connections = new Set<Socket>()

  const answer = async (query: Buffer, over: 'udp' | 'tcp'): Promise<Buffer | undefined> => {
    const question = readQuery(query)
    if (question === 'none') return undefined
    if (question === 'broken') return failureReply(query, dns.formatError)
    if (question === 'other') {
      const reply = await forward(query, over)
      answered(reply === undefined ? 'failed' : 'forwarded')
      return reply ?? failureReply(query, dns.serverFailure)
    }
    const limitBytes = over === 'udp' ? question.udpBytes : largestMessage
    const found = lookup(question)
    if (found === undefined) return ask(query, question, over, limitBytes)
    answered('mesh')
    if (found === 'not-yet') return failureReply(query, dns.serverFailure, question)
    if (found === 'no-such-name') return failureReply(query, dns.noSuchName, question)
    return answerReply(query, question, found, { ttlSeconds, limitBytes })
  }

  const ask = async (query: Buffer, question: Question, over: 'udp' | 'tcp', limitBytes: number): Promise<Buffer> => {
    const kept = cache.get(query, question, limitBytes)
    if (kept !== undefined) {
      answered('cached')
      return kept
    }
    const reply = await forward(query, over)
    answered(reply === undefined ? 'failed' : 'forwarded')
    if (reply === undefined) return failureReply(query, dns.serverFailure, question)
    cache.put(query, question, reply)
    return reply
  }

  const serve = (socket: Socket): void => {
    if (connections.size >= maxConnections) return void socket.destroy()
    connections.add(socket)
    let bytes: Buffer = Buffer.alloc(0)
    let idle: Timer | undefined
    const wait = (): void => {
      idle?.cancel()
      idle = clock.after(idleMs, () => void socket.destroy(), { background: true })
    }
    const take = async (): Promise<void> => {
      while (bytes.length >= 2 && bytes.length >= 2 + bytes.readUInt16BE(0)) {
        const end = 2 + bytes.readUInt16BE(0)
        const query = bytes.subarray(2, end)
        bytes = bytes.subarray(end)
        socket.pause()
        const reply = await answer(query, 'tcp')
        if (socket.destroyed) return
        if (reply === undefined) return void socket.destroy()
        socket.write(framed(reply))
      }
      socket.resume()
    }
    socket.on('error', () => {})
    socket.once('close', () => {
      idle?.cancel()
      connections.delete(socket)
    })
    socket.on('data', (chunk: Buffer) => {
      wait()
      bytes = bytes.length === 0 ? chunk : Buffer.concat([bytes, chunk])
      void take()
    })
    socket.on('end', () => socket.end())
    wait()
    socket.resume()
  }

  return {
    addUdp({ socket, stop }) {
      opened.push(socket)
      receiving.push(stop)
      socket.on('error', () => {})
      socket.on('message', (query, from) => {
        void answer(query, 'udp').then((reply) => {
          if (reply !== undefined) socket.send(reply, from.port, from.address, () => {})
        })
      })
    },
    addTcp(server) {
      opened.push(server)
      server.on('error', () => {})
      server.on('connection', serve)
    },
    stopReceiving() {
      for (const stop of receiving.splice(0)) stop()
    },
    close() {
      for (const one of opened.splice(0)) one.close()
      for (const socket of connections) socket.destroy()
    },
  }
}
