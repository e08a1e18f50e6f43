import type { Clock, Timer } from './clock.ts'

/** A timer that is set again and again without a new object: the idle timer of a connection, for example. */
export interface WheelTimer extends Timer {
  /** Sets it, or sets it anew. `delayMs` ≥ 0; fires up to a tick late, never early. */
  start(delayMs: number): void
  readonly armed: boolean
}

/**
 * Many coarse timers for the price of one: setting and cancelling cost a few pointer writes, and the clock is asked for a timer
 * only while one is set. Source: Varghese and Lauck, "Hashed and Hierarchical Timing Wheels", SOSP 1987, scheme 6.
 */
export interface TimerWheel {
  /** A timer that is not set yet. An exception of `fire` is a bug and passes through. */
  timer(fire: () => void): WheelTimer
  /** A timer that is set already. */
  after(delayMs: number, fire: () => void): WheelTimer
}

/** 512 slots of `tickMs` each; what is further away waits for more rounds. The wheel does not keep the process alive. */
export function createTimerWheel(clock: Clock, tickMs = 10): TimerWheel {
  const slots: (Node | undefined)[] = Array.from({ length: slotCount })
  const startMs = clock.nowMs()
  let currentTick = 0
  let count = 0
  let ticking: Timer | undefined
  let waitsForNews = false

  /** First tick that is wholly past `ms` from now on. */
  const tickAt = (ms: number): number => Math.ceil((clock.nowMs() - startMs + ms) / tickMs)

  function link(node: Node): void {
    const slot = node.dueTick % slotCount
    const head = slots[slot]
    if (head === undefined) {
      node.previous = node
      node.following = node
      slots[slot] = node
      return
    }
    node.following = head
    node.previous = head.previous
    head.previous.following = node
    head.previous = node
  }

  function unlink(node: Node): void {
    const slot = node.dueTick % slotCount
    if (node.following === node) slots[slot] = undefined
    else {
      node.previous.following = node.following
      node.following.previous = node.previous
      if (slots[slot] === node) slots[slot] = node.following
    }
    // Or an old one that is gone would keep every later one of its slot from the collector's short way, one after the other.
    node.previous = node.following = node
  }

  function arm(node: Node, delayMs: number): void {
    if (node.dueTick >= 0) unlink(node)
    else if (count++ === 0) currentTick = tickNow()
    node.dueTick = Math.max(tickAt(delayMs), currentTick + 1)
    link(node)
    ticking ??= clock.every(tickMs, turn, { background: true })
  }

  function disarm(node: Node): void {
    if (node.dueTick < 0) return
    unlink(node)
    node.dueTick = -1
    count--
  }

  const tickNow = (): number => Math.floor((clock.nowMs() - startMs) / tickMs)

  function turn(): void {
    if (count === 0) {
      ticking?.cancel()
      ticking = undefined
      return
    }
    if (waitsForNews) return
    // After a pause of ours timers come first: what the kernel has had ready meanwhile is heard before anybody is given up.
    waitsForNews = (tickNow() - currentTick) * tickMs >= pauseMs
    if (!waitsForNews) return fireDue()
    setImmediate(() => {
      waitsForNews = false
      fireDue()
    })
  }

  /** Fires what is due in the slots between the last time and now; each slot is visited once, however long the gap was. */
  function fireDue(): void {
    const nowTick = tickNow()
    const steps = Math.min(nowTick - currentTick, slotCount)
    const fromTick = nowTick - steps
    currentTick = nowTick
    for (let tick = fromTick + 1; tick <= nowTick; tick++) fireSlot(tick % slotCount, nowTick)
  }

  function fireSlot(slot: number, nowTick: number): void {
    let due: Node[] | undefined
    const head = slots[slot]
    if (head === undefined) return
    let node = head
    do {
      if (node.dueTick <= nowTick) (due ??= []).push(node)
      node = node.following
    } while (node !== head)
    // One that fires may cancel or set another of the same slot.
    for (const one of due ?? [])
      if (one.dueTick >= 0 && one.dueTick <= nowTick) {
        disarm(one)
        one.fire()
      }
  }

  const wheel: Wheel = { arm, disarm }

  return {
    timer: (fire) => new Node(wheel, fire),
    after(delayMs, fire) {
      const node = new Node(wheel, fire)
      arm(node, delayMs)
      return node
    },
  }
}

const slotCount = 512
/** A turn that comes so late comes after a pause of the whole process: it was busy, or had no CPU. */
const pauseMs = 100

interface Wheel {
  arm(node: Node, delayMs: number): void
  disarm(node: Node): void
}

/** Calls have timers, so that one costs one object. */
class Node implements WheelTimer {
  previous: Node = this
  following: Node = this
  /** Negative: not set. */
  dueTick = -1
  readonly fire: () => void
  readonly #wheel: Wheel

  constructor(wheel: Wheel, fire: () => void) {
    this.#wheel = wheel
    this.fire = fire
  }

  get armed(): boolean {
    return this.dueTick >= 0
  }

  start(delayMs: number): void {
    this.#wheel.arm(this, delayMs)
  }

  cancel(): void {
    this.#wheel.disarm(this)
  }
}
