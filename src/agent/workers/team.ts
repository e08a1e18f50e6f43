import { createBoard } from '../../base/board.ts'
import type { Figures } from '../../base/figures.ts'
import type { FromSidecar } from '../../proxy/sidecar-messages.ts'
import type { Colleague, ColleagueChannel } from '../sidecar-child.ts'
import type { Sidecar } from '../sidecar-process.ts'
import type { ConfigRelay } from './config-relay.ts'

/** What the workers of one proxy have in common, and how they reach each other. */
export interface Team {
  /** The board of connections, for each process to inherit. */
  readonly boardFd: number
  /** A process of the worker with this number begins. */
  readonly join: (index: number, channel: ColleagueChannel) => Colleague
  /** What this worker had counted when it was last asked: its next process goes on from there. */
  figuresOf(index: number): Figures | undefined
  /** Every worker is ready. */
  allReady(): void
  close(): void
}

type Gather = Extract<FromSidecar, { kind: 'gather' }>

const partMs = 2000

/** `workers`: asked when somebody wants to know something of all. */
export function createTeam({
  count,
  relay,
  workers,
  trusted,
}: {
  readonly count: number
  readonly relay: ConfigRelay
  readonly workers: () => readonly Pick<Sidecar, 'ask'>[]
  /** Of certificates that the control plane may be known by. */
  readonly trusted: (pem: string) => void
}): Team {
  const board = createBoard()
  const byRow = new Map<number, ColleagueChannel>()
  const counted = new Map<number, Figures>()
  let ready = false

  const partOf = async (index: number, what: Gather['what']): Promise<unknown> => {
    const answer = (await workers()[index]?.ask({ what: 'part', detail: what }, partMs)) ?? { failed: '' }
    if (what !== 'snapshot') return 'json' in answer ? answer.json : undefined
    // One that is being started again: what it had counted is not gone.
    if ('json' in answer) counted.set(index, answer.json as Figures)
    return counted.get(index)
  }
  const gather = async (from: number, { id, what, own }: Gather, channel: ColleagueChannel): Promise<void> => {
    if (what === 'snapshot') counted.set(from, own as Figures)
    const others = Array.from({ length: count }, (_, index) => index).filter((index) => index !== from)
    const parts = await Promise.all(others.map(async (worker) => ({ worker, json: await partOf(worker, what) })))
    channel.send({
      kind: 'gathered',
      id,
      parts: parts.filter(({ json }) => json !== undefined),
      controlPlane: relay.state(),
    })
  }
  /** Whoever is gone meanwhile gets nothing: then the giver serves it after all. */
  const give = (
    { address, row }: Extract<FromSidecar, { kind: 'give' }>,
    handle: unknown,
    giver: ColleagueChannel,
  ): void => {
    const message = { kind: 'connection', address } as const
    for (const channel of [byRow.get(row), giver, ...byRow.values()])
      if (channel?.pass(message, handle) === true) return
  }

  return {
    boardFd: board.fd,
    join(index, channel) {
      const relayed = relay.join((message) => void channel.send(message))
      const row = board.take()
      if (row !== undefined) byRow.set(row, channel)
      return {
        place: { index, count, row, allReady: ready },
        hear(message, handle) {
          switch (message.kind) {
            case 'subscribe':
            case 'received':
              return relayed.hear(message)
            case 'trust':
              return trusted(message.pem)
            case 'gather':
              return void gather(index, message, channel)
            case 'give':
              return give(message, handle, channel)
          }
        },
        left() {
          relayed.left()
          if (row === undefined) return
          byRow.delete(row)
          board.giveBack(row)
        },
      }
    },
    figuresOf: (index) => counted.get(index),
    allReady() {
      ready = true
      for (const channel of byRow.values()) channel.send({ kind: 'all-ready' })
    },
    close() {
      relay.close()
      board.close()
    },
  }
}
