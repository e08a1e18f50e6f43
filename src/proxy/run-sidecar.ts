import { Server } from 'node:net'
import type { Timer } from '../base/clock.ts'
import type { DatagramCarrier } from './carried-datagrams.ts'
import type { ReceivingDatagrams } from './dns/serve-dns.ts'
import { createHandedOver, type SocketOwner } from './handed-over.ts'
import { createInside } from './inside.ts'
import { datagramsFrom, socketFrom } from './listener/handles.ts'
import { silentDatagrams } from './listener/datagrams.ts'
import { originalDestination } from './listener/original-destination.ts'
import { createOrderedDatagrams } from './ordered-datagrams.ts'
import { planMesh } from './plan-mesh.ts'
import { run, type Given, type Plan, type Running } from './running.ts'
import { plainJson } from './sidecar-answers.ts'
import type { ToSidecar, WorkerPart } from './sidecar-messages.ts'
import type { SidecarParts } from './sidecar-parts.ts'

/** The life of a sidecar, driven by its agent. */
export interface Sidecar {
  /** `handle` is what came along. */
  hear(message: ToSidecar, handle: unknown): void
  /** Ends the process when nothing is in flight any more, after `deadlineMs` at the latest. */
  drain(deadlineMs: number, patient?: boolean): void
}

type Start = Extract<ToSidecar, { kind: 'start' | 'start-bare' }>

/** The proxy keeps to its deadline by itself; this is for the day when it does not. */
const drainSlackMs = 500
/** While the next one serves already, it hears so often what is counted here. */
const reportEveryMs = 5000

/** Does nothing until it hears `start`. */
export function createSidecar(parts: SidecarParts): Sidecar {
  const owner: SocketOwner = {
    want: (address) => parts.tell({ kind: 'listen', address }),
    release: (address) => parts.tell({ kind: 'release', address }),
  }
  const sockets = createHandedOver(owner)
  const ordered = createOrderedDatagrams(owner)
  const datagrams: (() => ReceivingDatagrams | undefined)[] = []
  const carrier = Promise.withResolvers<DatagramCarrier>()
  const undeclared = new Server()
  const inside = createInside({ ask: (id, port) => parts.tell({ kind: 'connect', id, port }), clock: parts.clock })
  let running: Running | undefined
  let draining = false
  /** What is heard meanwhile waits. */
  let starting: Promise<void> | undefined
  let reporting: Timer | undefined
  const released = Promise.withResolvers<void>()

  const over = (): void => {
    if (reporting !== undefined) tellFigures()
    reporting?.cancel()
    running?.close()
    parts.exit(0)
  }
  const drain = (deadlineMs: number, patient = false): void => {
    sockets.close()
    ordered.close()
    if (running === undefined) return over()
    // Each further time: another deadline, of which the first to come counts.
    const late = parts.clock.after(deadlineMs + drainSlackMs, over)
    if (draining) return
    draining = true
    if (patient) reporting = parts.clock.every(reportEveryMs, tellFigures, { background: true })
    void running.drain(deadlineMs, patient).then(() => {
      late.cancel()
      over()
    })
  }
  const takeSocket = ({ address, also, caught }: Extract<ToSidecar, { kind: 'listener' }>, server: Server): void => {
    if (caught === undefined) return sockets.add(address, server, also)
    const byPort = new Map(caught.map((one) => [one.port, one.address]))
    sockets.addCaught(server, (socket) => byPort.get(originalDestination(socket)?.port ?? 0), undeclared)
  }
  const tellFigures = (): void => parts.tell({ kind: 'figures', figures: running?.figures() ?? [] })
  const tellAnswer = async ({ id, what, detail }: Extract<ToSidecar, { kind: 'ask' }>): Promise<void> => {
    const answer = await (what === 'explain' || what === 'probe'
      ? running?.[what](detail)
      : what === 'part'
        ? running?.part(detail as WorkerPart)
        : running?.answer(what))
    parts.tell({ kind: 'answer', id, json: plainJson(answer ?? null) })
  }
  const serve = (): void => {
    running?.serve(sockets)
    released.resolve()
  }
  /** A flow of datagrams stays with one process: the first has them all. */
  const isFurtherWorker = (): boolean => running?.worker !== undefined && running.worker.index > 0
  const begin = (message: Start, plan: Plan | { readonly failed: string }): void => {
    if ('failed' in plan) {
      parts.tell({ kind: 'failed', sentence: plan.failed })
      return parts.exit(1)
    }
    const { socketsOnDemand = false, standBy } = message
    const listen: Given['listen'] = async (address, signal) => {
      await released.promise
      return socketsOnDemand && signal !== undefined ? sockets.order(address, signal) : sockets.take(address)
    }
    const listenUdp: Given['listenUdp'] = async (at, signal) => {
      await released.promise
      return isFurtherWorker() ? silentDatagrams() : ordered.order(at, signal)
    }
    const given: Given = {
      listen,
      ...(socketsOnDemand && { listenUdp }),
      datagrams,
      carrier: carrier.promise,
      undeclared,
      inside,
    }
    running = run(plan, given, parts)
    if (standBy === undefined) serve()
  }
  /** Only a bare proxy reads bootstraps, and only it loads what that takes. */
  const planLater = async (message: Extract<Start, { kind: 'start-bare' }>): Promise<void> => {
    const { planBare } = await import('./plan-bare.ts')
    begin(message, planBare(message, parts))
    starting = undefined
  }
  const hear = (message: ToSidecar, handle: unknown): void => {
    if (starting !== undefined) return void starting.then(() => hear(message, handle))
    switch (message.kind) {
      case 'listener':
        if (handle instanceof Server) takeSocket(message, handle)
        return
      case 'datagrams': {
        const { family, address, relay } = message
        const receive = (): ReceivingDatagrams | undefined => datagramsFrom(handle, family)
        if (relay !== undefined) {
          void released.promise.then(() => {
            const received = isFurtherWorker() ? undefined : receive()
            if (received !== undefined) carrier.resolve({ ...received, relay })
          })
        } else if (address === undefined) datagrams.push(receive)
        else ordered.add(address, receive)
        return
      }
      case 'connected':
        return inside.heard(message.id, handle, message.error)
      case 'start':
        return begin(message, planMesh(message, parts))
      case 'start-bare':
        starting = planLater(message)
        return
      case 'take-over':
        running?.takeFigures(message.figures)
        return serve()
      case 'figures':
        return running?.takeFigures(message.figures)
      case 'resources':
      case 'gathered':
      case 'all-ready':
        return running?.worker?.hear(message)
      case 'connection': {
        const socket = socketFrom(handle)
        if (socket !== undefined) sockets.receive(message.address, socket.pause())
        return
      }
      case 'identity':
        return running?.setIdentity(message.identity)
      case 'ask':
        void tellAnswer(message)
        return
      case 'program':
        return parts.guard(message.pid)
      case 'drain':
        return drain(message.deadlineMs, message.patient)
    }
  }
  return { drain, hear }
}
