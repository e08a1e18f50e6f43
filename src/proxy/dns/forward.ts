import dgram from 'node:dgram'
import net from 'node:net'
import type { Address } from '../../base/address.ts'
import type { Clock } from '../../base/clock.ts'
import { headerBytes, readQuery } from './message.ts'

/** Asks another resolver; undefined: no answer in time. */
export type Forward = (query: Buffer, over: 'udp' | 'tcp') => Promise<Buffer | undefined>

/** One resolver's time; a program asks again after 5 s as a rule. */
const attemptMs = 1500
const maxResolvers = 3
/** Queries under way at once; more are answered by a failure. */
const maxOpen = 512

/** Passes queries on unchanged, to one resolver after the other until one answers; a resolver that failed counts only if all do. */
export function createForward({ resolvers, clock }: { resolvers: () => readonly Address[]; clock: Clock }): Forward {
  let open = 0
  return async (query, over) => {
    if (open >= maxOpen) return undefined
    open++
    try {
      let failed: Buffer | undefined
      for (const resolver of resolvers().slice(0, maxResolvers)) {
        const reply = await (over === 'udp' ? overUdp : overTcp)(query, resolver, clock)
        if (reply !== undefined && !gaveUp(reply)) return reply
        failed ??= reply
      }
      return failed
    } finally {
      open--
    }
  }
}

/** From a port of its own, connected: the kernel drops what comes from elsewhere. */
function overUdp(query: Buffer, resolver: Address, clock: Clock): Promise<Buffer | undefined> {
  return new Promise((resolve) => {
    const socket = dgram.createSocket(net.isIPv6(resolver.host) ? 'udp6' : 'udp4')
    const done = (reply: Buffer | undefined): void => {
      late.cancel()
      socket.removeAllListeners().on('error', ignore)
      socket.close()
      resolve(reply)
    }
    const late = clock.after(attemptMs, () => done(undefined), { background: true })
    socket.on('error', () => done(undefined))
    socket.on('message', (reply) => {
      if (answers(reply, query)) done(reply)
    })
    socket.connect(resolver.port, resolver.host, () => socket.send(query))
  })
}

function overTcp(query: Buffer, resolver: Address, clock: Clock): Promise<Buffer | undefined> {
  return new Promise((resolve) => {
    const socket = net.connect(resolver)
    let bytes: Buffer = Buffer.alloc(0)
    const done = (reply: Buffer | undefined): void => {
      late.cancel()
      socket.destroy()
      resolve(reply)
    }
    const late = clock.after(attemptMs, () => done(undefined), { background: true })
    socket.on('error', () => done(undefined)).on('close', () => done(undefined))
    socket.on('data', (chunk: Buffer) => {
      bytes = Buffer.concat([bytes, chunk])
      const whole = bytes.length >= 2 ? bytes.subarray(2, 2 + bytes.readUInt16BE(0)) : undefined
      if (whole === undefined || whole.length < bytes.readUInt16BE(0)) return
      done(answers(whole, query) ? whole : undefined)
    })
    socket.write(framed(query))
  })
}

/** With its length in front, as over TCP. Source: RFC 1035, section 4.2.2. */
export function framed(message: Buffer): Buffer {
  const length = Buffer.alloc(2)
  length.writeUInt16BE(message.length)
  return Buffer.concat([length, message])
}

/** It cannot, or will not. Source: RFC 1035, section 4.1.1: SERVFAIL, NOTIMP, REFUSED. */
const gaveUp = (reply: Buffer): boolean => [2, 4, 5].includes(reply.readUInt8(3) & 15)

/** A reply to this very question, by its number and, but for one that says that it could not be read, the question itself. */
function answers(reply: Buffer, query: Buffer): boolean {
  if (reply.length < headerBytes || reply.readUInt16BE(0) !== query.readUInt16BE(0)) return false
  if ((reply.readUInt8(2) & 0x80) === 0) return false
  const question = readQuery(query)
  if (typeof question !== 'object') return true
  if (reply.readUInt16BE(4) === 0) return (reply.readUInt8(3) & 15) !== 0
  const lower = (message: Buffer): string => message.toString('latin1', headerBytes, question.end).toLowerCase()
  return lower(reply) === lower(query)
}

const ignore = (): void => {}
