import { once } from 'node:events'
import net, { type Socket } from 'node:net'
import type { TestContext } from 'node:test'
import { seeded } from '../../../../base/random.ts'
import { serveWith, type Served } from '../../http1/testing/raw.ts'
import type { Service } from '../../service.ts'
import { Decoder } from '../hpack/decoder.ts'
import { edgeLimits } from '../limits.ts'
import type { Http2ServerParts } from '../server-parts.ts'
import { serveHttp2 } from '../server.ts'
import { errorName, flag, frameType, preface } from '../wire.ts'

/** A frame as it stands on the wire. */
export interface RawFrame {
  readonly type: number
  readonly flags: number
  readonly id: number
  readonly payload: Buffer
}

/** A frame's bytes. */
export function frame(type: number, flags: number, id: number, payload: Buffer | readonly number[] = []): Buffer {
  const head = Buffer.alloc(9)
  head.writeUIntBE(payload.length, 0, 3)
  head.writeUInt8(type, 3)
  head.writeUInt8(flags, 4)
  head.writeUInt32BE(id, 5)
  return Buffer.concat([head, Buffer.from(payload)])
}

export const word = (value: number): Buffer => {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(value)
  return bytes
}

export function settingsFrame(values: readonly (readonly [number, number])[] = []): Buffer {
  const payload = Buffer.alloc(6 * values.length)
  for (const [index, [id, value]] of values.entries()) {
    payload.writeUInt16BE(id, 6 * index)
    payload.writeUInt32BE(value, 6 * index + 2)
  }
  return frame(frameType.settings, 0, 0, payload)
}

/** One end of a connection that says exactly what it is told to. */
export class RawHttp2 {
  readonly socket: Socket
  readonly frames: RawFrame[] = []
  /** The peer ended or cut the connection. */
  over = false
  readonly #decoder = new Decoder({ listBytes: 1_000_000, fields: 1000 })
  #bytes: Buffer = Buffer.alloc(0)
  #wake = (): void => {}
  #skip: number

  /** `skip`: octets that come before frames (the preface, on a server). */
  constructor(socket: Socket, skip = 0) {
    this.socket = socket
    this.#skip = skip
    socket.on('error', () => {})
    socket.on('data', (chunk: Buffer) => this.#take(chunk))
    const stop = (): void => {
      this.over = true
      this.#wake()
    }
    socket.on('end', stop).on('close', stop)
  }

  send(...parts: readonly Buffer[]): void {
    this.socket.write(Buffer.concat(parts))
  }

  /** A header block; never in the dynamic table, so that it may be sent in any order. */
  block(fields: Readonly<Record<string, string>> | readonly (readonly [string, string])[]): Buffer {
    const list = Array.isArray(fields) ? (fields as readonly (readonly [string, string])[]) : Object.entries(fields)
    const out = Buffer.alloc(list.reduce((sum, [name, value]) => sum + name.length + value.length + 16, 16))
    let at = 0
    for (const [name, value] of list) {
      out[at++] = 0
      for (const text of [name, value]) {
        if (text.length < 127) out[at++] = text.length
        else {
          out[at++] = 127
          let left = text.length - 127
          for (; left >= 128; left >>>= 7) out[at++] = (left & 127) | 128
          out[at++] = left
        }
        at += out.write(text, at, 'latin1')
      }
    }
    return out.subarray(0, at)
  }

  headers(
    id: number,
    fields: Readonly<Record<string, string>> | readonly (readonly [string, string])[],
    end: boolean,
  ): Buffer {
    return frame(frameType.headers, flag.endHeaders | (end ? flag.endStream : 0), id, this.block(fields))
  }

  get(id: number, path = '/', more: Readonly<Record<string, string>> = {}): Buffer {
    return this.headers(id, { ...request('GET', path), ...more }, true)
  }

  data(id: number, text: string | Buffer, end = false): Buffer {
    return frame(frameType.data, end ? flag.endStream : 0, id, Buffer.from(text as string))
  }

  /** Resolves once `enough`; rejects when the connection ends before. */
  async until(enough: () => boolean): Promise<void> {
    while (!enough()) {
      if (this.over) throw new Error(`ended: ${this.describe()}`)
      await new Promise<void>((resolve) => (this.#wake = resolve))
    }
  }

  async end(): Promise<void> {
    while (!this.over) await new Promise<void>((resolve) => (this.#wake = resolve))
  }

  /** The decoded fields of a stream's header blocks, in order. */
  readonly heads: Map<number, Record<string, string>[]> = new Map()

  body(id: number): string {
    return Buffer.concat(
      this.frames.filter((one) => one.type === frameType.data && one.id === id).map(({ payload }) => payload),
    ).toString('latin1')
  }

  ended(id: number): boolean {
    return this.frames.some(
      (one) =>
        one.id === id && (one.type === frameType.data || one.type === frameType.headers) && (one.flags & 1) !== 0,
    )
  }

  /** The code of the stream's reset, or of GOAWAY for 0. */
  error(id: number): string | undefined {
    const type = id === 0 ? frameType.goAway : frameType.rstStream
    const found = this.frames.findLast((one) => one.type === type && one.id === id)
    return found === undefined ? undefined : errorName(found.payload.readUInt32BE(id === 0 ? 4 : 0))
  }

  count(type: number): number {
    return this.frames.filter((one) => one.type === type).length
  }

  describe(): string {
    return this.frames.map(({ type, flags, id, payload }) => `${type}/${flags}/${id}/${payload.length}`).join(' ')
  }

  #take(chunk: Buffer): void {
    this.#bytes = Buffer.concat([this.#bytes, chunk])
    if (this.#skip > 0) {
      const skipped = Math.min(this.#skip, this.#bytes.length)
      this.#skip -= skipped
      this.#bytes = this.#bytes.subarray(skipped)
    }
    while (this.#skip === 0 && this.#bytes.length >= 9) {
      const length = this.#bytes.readUIntBE(0, 3)
      if (this.#bytes.length < 9 + length) break
      const one: RawFrame = {
        type: this.#bytes.readUInt8(3),
        flags: this.#bytes.readUInt8(4),
        id: this.#bytes.readUInt32BE(5) & 0x7fff_ffff,
        payload: Buffer.from(this.#bytes.subarray(9, 9 + length)),
      }
      this.#bytes = this.#bytes.subarray(9 + length)
      this.frames.push(one)
      if (one.type === frameType.headers) this.#decode(one)
    }
    this.#wake()
  }

  #decode({ id, payload, flags }: RawFrame): void {
    if ((flags & flag.endHeaders) === 0) return
    this.#decoder.decode(payload, 0, payload.length)
    const fields = Object.fromEntries(this.#decoder.fields.map(({ name, value }) => [name, value]))
    this.heads.set(id, [...(this.heads.get(id) ?? []), fields])
  }
}

export const request = (method: string, path: string): Record<string, string> => ({
  ':method': method,
  ':scheme': 'http',
  ':authority': 'web',
  ':path': path,
})

/** A client that has said its preface and settings. */
export async function connectHttp2(
  t: TestContext,
  port: number,
  settings: readonly (readonly [number, number])[] = [],
): Promise<RawHttp2> {
  const socket = net.connect({ port, host: '127.0.0.1', noDelay: true })
  t.after(() => socket.destroy())
  await once(socket, 'connect')
  const peer = new RawHttp2(socket)
  peer.send(preface, settingsFrame(settings))
  return peer
}

/** Serves with the HTTP/2 codec; outcomes and refusals are collected. */
export const serve = (t: TestContext, service: Service, more: Partial<Http2ServerParts> = {}): Promise<Served> =>
  serveWith(t, service, (socket, parts) =>
    serveHttp2(socket, { ...parts, random: seeded(3), limits: edgeLimits, keepAliveMs: 0, ...more }),
  )
