import assert from 'node:assert/strict'
import { EventEmitter } from 'node:events'
import { test } from 'node:test'
import { runProcesses, type ProcessOfSet, type ProgramEvent } from './process-set.ts'

/** Programs of words: each does what the test tells it, and `log` keeps in which order they began and ended. */
function world(needs: Readonly<Record<string, readonly string[]>>) {
  const log: string[] = []
  const said: string[] = []
  const signals = new EventEmitter()
  const happened = new Map<string, (event: ProgramEvent) => void>()
  const ends = new Map<string, (status: number) => void>()
  const processes: ProcessOfSet[] = Object.entries(needs).map(([name, dependsOn]) => ({
    name,
    dependsOn: dependsOn.map((text) => {
      const [other = '', condition = 'ready'] = text.split(':')
      return { name: other, condition: condition as 'ready' }
    }),
    run(heard, tell) {
      log.push(`+${name}`)
      happened.set(name, tell)
      return new Promise((resolve) => {
        let over = false
        const end = (status: number): void => {
          if (over) return
          over = true
          log.push(`-${name}`)
          resolve(status)
        }
        ends.set(name, end)
        for (const signal of ['SIGTERM', 'SIGINT'] as const) heard.on(signal, () => end(0))
        heard.on('SIGHUP', () => log.push(`^${name}`))
      })
    },
  }))
  const status = runProcesses(processes, { signals, say: (text) => said.push(text) })
  const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))
  return {
    log,
    said,
    status,
    settled,
    signal: (name: string) => void signals.emit(name, name),
    tell: async (name: string, event: ProgramEvent): Promise<void> => {
      happened.get(name)?.(event)
      await settled()
    },
    end: async (name: string, withStatus: number): Promise<void> => {
      ends.get(name)?.(withStatus)
      await settled()
    },
  }
}

test('each starts when what it needs has started, is ready, or is done', async () => {
  const { log, tell, end, settled, status } = world({
    web: ['api', 'migrate:completed'],
    api: ['db:started'],
    db: [],
    migrate: ['db:ready'],
  })
  await settled()
  assert.deepEqual(log, ['+db'])
  await tell('db', 'started')
  assert.deepEqual(log, ['+db', '+api'])
  await tell('db', 'ready')
  await tell('api', 'ready')
  assert.deepEqual(log, ['+db', '+api', '+migrate'])
  await end('migrate', 0)
  assert.deepEqual(log, ['+db', '+api', '+migrate', '-migrate', '+web'])
  await end('web', 0)
  await end('api', 4)
  await end('db', 5)
  assert.equal(await status, 4, 'the first in the list that failed')
})

test('an end that is asked for goes the other way round', async () => {
  const { log, tell, settled, signal, status } = world({ web: ['api'], api: ['db'], db: [], late: ['web'] })
  await settled()
  await tell('db', 'ready')
  await tell('api', 'ready')
  signal('SIGHUP')
  signal('SIGINT')
  assert.equal(await status, 130)
  assert.deepEqual(log, ['+db', '+api', '+web', '^web', '^api', '^db', '-web', '-api', '-db'])
})

test('a need that can never be met ends all, and is said once', async () => {
  const { log, said, end, settled, status } = world({ web: ['migrate:completed'], next: ['web'], db: [], migrate: [] })
  await settled()
  await end('migrate', 3)
  assert.equal(await status, 3)
  assert.deepEqual(log, ['+db', '+migrate', '-migrate', '-db'])
  assert.deepEqual(said, [
    'web is not started: migrate ended with status 3 before it was completed; all others are stopped',
  ])
})
