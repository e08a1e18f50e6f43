import { EventEmitter } from 'node:events'

/** What of another process is waited for. */
export type DependencyCondition = 'started' | 'ready' | 'completed'

/** What becomes of a program, as its agent tells it. */
export type ProgramEvent = 'started' | 'ready' | 'unready'

/** One program of several, and whom it needs. */
export interface ProcessOfSet {
  readonly name: string
  readonly dependsOn: readonly { readonly name: string; readonly condition: DependencyCondition }[]
  /** Runs it with an agent of its own until it has ended; gives its exit status. */
  readonly run: (
    signals: EventEmitter<Record<NodeJS.Signals, [NodeJS.Signals]>>,
    happened: (event: ProgramEvent) => void,
  ) => Promise<number>
}

interface Member {
  readonly process: ProcessOfSet
  readonly signals: EventEmitter<Record<NodeJS.Signals, [NodeJS.Signals]>>
  readonly started: PromiseWithResolvers<'met'>
  readonly ready: PromiseWithResolvers<'met'>
  /** Its exit status; undefined: it was never started. */
  readonly ended: PromiseWithResolvers<number | undefined>
}

/**
 * Runs programs together: each when what it depends on is there, and when somebody wants an end, each after those that depend on it. A
 * dependency that can never be met any more ends all. Resolves when every program has ended: with 128 + n after signal n, else with the
 * first status in the list that is not 0. `say` takes sentences for the person at the terminal.
 */
export async function runProcesses(
  processes: readonly ProcessOfSet[],
  { signals, say }: { readonly signals: Pick<NodeJS.EventEmitter, 'on' | 'off'>; readonly say: (text: string) => void },
): Promise<number> {
  const members = new Map<string, Member>(processes.map((process) => [process.name, newMember(process)]))
  let asked: number | undefined
  let failed = false
  const stopping = Promise.withResolvers<'stopping'>()

  const stop = (signal: NodeJS.Signals): void => {
    stopping.resolve('stopping')
    for (const member of members.values()) void stopInOrder(member, signal)
  }
  /** Those that need it go first. */
  const stopInOrder = async (member: Member, signal: NodeJS.Signals): Promise<void> => {
    const needers = [...members.values()].filter(({ process }) =>
      process.dependsOn.some(({ name }) => name === member.process.name),
    )
    await Promise.all(needers.map(({ ended }) => ended.promise))
    member.signals.emit(signal, signal)
  }
  const take = (signal: NodeJS.Signals, number: number) => (): void => {
    if (asked !== undefined) for (const member of members.values()) member.signals.emit(signal, signal)
    else {
      asked = 128 + number
      stop(signal)
    }
  }
  const heard: Partial<Record<NodeJS.Signals, () => void>> = {
    SIGINT: take('SIGINT', 2),
    SIGTERM: take('SIGTERM', 15),
    SIGHUP: () => members.forEach((member) => member.signals.emit('SIGHUP', 'SIGHUP')),
  }
  for (const [signal, listener] of Object.entries(heard)) signals.on(signal, listener)

  const live = async (member: Member): Promise<void> => {
    const unmet = await Promise.race([dependencies(member, members), stopping.promise])
    if (unmet !== undefined || asked !== undefined || failed) {
      if (unmet !== undefined && unmet !== 'stopping' && !failed) {
        failed = true
        say(`${member.process.name} is not started: ${unmet}; all others are stopped`)
        stop('SIGTERM')
      }
      return member.ended.resolve(undefined)
    }
    const status = await member.process.run(member.signals, (event) => {
      if (event === 'started') member.started.resolve('met')
      if (event === 'ready') member.ready.resolve('met')
    })
    member.ended.resolve(status)
  }
  await Promise.all(Array.from(members.values(), live))
  for (const [signal, listener] of Object.entries(heard)) signals.off(signal, listener)
  if (asked !== undefined) return asked
  const statuses = await Promise.all(Array.from(members.values(), ({ ended }) => ended.promise))
  return statuses.find((status) => status !== undefined && status !== 0) ?? (failed ? 1 : 0)
}

const newMember = (process: ProcessOfSet): Member => ({
  process,
  signals: new EventEmitter(),
  started: Promise.withResolvers(),
  ready: Promise.withResolvers(),
  ended: Promise.withResolvers(),
})

/** Undefined once all are met; otherwise why one never will be. */
async function dependencies({ process }: Member, members: ReadonlyMap<string, Member>): Promise<string | undefined> {
  const waits = process.dependsOn.map(async ({ name, condition }) => {
    const other = members.get(name)
    if (other === undefined) return `there is no ${name}`
    const ended = other.ended.promise.then((status) => {
      if (status === undefined) return `${name} was not started`
      if (condition === 'completed' && status === 0) return 'met'
      return `${name} ended with status ${status} before it was ${condition}`
    })
    const met = await (condition === 'completed' ? ended : Promise.race([other[condition].promise, ended]))
    return met === 'met' ? undefined : met
  })
  // The first that cannot be met decides, whatever the others still wait for.
  return new Promise((resolve) => {
    for (const wait of waits) void wait.then((unmet) => unmet !== undefined && resolve(unmet))
    void Promise.all(waits).then(() => resolve(undefined))
  })
}

/** Names that wait for one another in a circle; undefined when there is none. */
export function dependencyCycle(
  processes: readonly Pick<ProcessOfSet, 'name' | 'dependsOn'>[],
): readonly string[] | undefined {
  const byName = new Map(processes.map((process) => [process.name, process]))
  const done = new Set<string>()
  const walk = (name: string, path: readonly string[]): readonly string[] | undefined => {
    if (path.includes(name)) return [...path.slice(path.indexOf(name)), name]
    if (done.has(name)) return undefined
    for (const { name: next } of byName.get(name)?.dependsOn ?? []) {
      const found = walk(next, [...path, name])
      if (found !== undefined) return found
    }
    done.add(name)
    return undefined
  }
  for (const { name } of processes) {
    const found = walk(name, [])
    if (found !== undefined) return found
  }
  return undefined
}
