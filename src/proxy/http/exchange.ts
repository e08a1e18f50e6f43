import type { Address } from '../../base/address.ts'
import type { Timer } from '../../base/clock.ts'
import { emptyBody, type Body } from './body.ts'
import type { Fault } from './fault.ts'
import type { Headers } from './headers.ts'
import type { Call, Outcome, Peer, Trace } from './service.ts'

/** What a codec has read of a request's head. */
export type ExchangeHead = Pick<Call, 'method' | 'scheme' | 'authority' | 'path' | 'headers' | 'protocol' | 'upgrade'>

/** A call as a server codec makes it; it alone knows when the call is over. */
export class Exchange implements Call {
  method: string
  scheme: 'http' | 'https'
  authority: string
  path: string
  headers: Headers
  body: Body
  readonly protocol: Call['protocol']
  upgrade: string | undefined
  readonly peer: Peer
  client: Address | undefined
  readonly startedMs: number
  readonly trace: Trace = { tried: noneTried, attempts: 0, bytesSent: 0, bytesReceived: 0 }
  idleTimeoutMs: number | undefined
  deadlineMs: number | undefined
  streamTimer: Timer | undefined
  hidesDeadline: boolean | undefined
  onInformational: ((status: number, headers: Headers) => void) | undefined
  #outcome: Outcome | undefined
  #fault: Fault | undefined
  /** Who is to be told, in a chain: a list grows to room for seventeen (`npm run bench -- http2`). */
  #first: Listener | undefined
  #last: Listener | undefined
  #heard: ((fault: Fault) => void)[] | undefined

  constructor(head: ExchangeHead, body: Body | undefined, peer: Peer, startedMs: number) {
    this.method = head.method
    this.scheme = head.scheme
    this.authority = head.authority
    this.path = head.path
    this.headers = head.headers
    this.body = body ?? emptyBody
    this.protocol = head.protocol
    this.upgrade = head.upgrade
    this.peer = peer
    this.startedMs = startedMs
  }

  onEnd(settled: (outcome: Outcome) => void): void {
    if (this.#outcome !== undefined) return settled(this.#outcome)
    const one: Listener = { settled, next: undefined }
    if (this.#last === undefined) this.#first = one
    else this.#last.next = one
    this.#last = one
  }

  onCancel(heard: (fault: Fault) => void): void {
    if (this.#fault !== undefined) heard(this.#fault)
    else if (this.#outcome === undefined) (this.#heard ??= []).push(heard)
  }

  cancel(fault: Fault): void {
    if (this.#fault !== undefined || this.#outcome !== undefined) return
    this.#fault = fault
    const heard = this.#heard
    this.#heard = undefined
    if (heard !== undefined) for (const one of heard) one(fault)
  }

  settle(outcome: Outcome): void {
    if (this.#outcome !== undefined) return
    this.#outcome = outcome
    let one = this.#first
    this.#first = this.#last = this.#heard = undefined
    for (; one !== undefined; one = one.next) one.settled(outcome)
  }
}

interface Listener {
  readonly settled: (outcome: Outcome) => void
  next: Listener | undefined
}

const noneTried: readonly string[] = []
