import { spawn, type ChildProcess } from 'node:child_process'
import fs from 'node:fs'
import { Readable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import type { Clock } from '../../../base/clock.ts'
import type { Log } from '../../../base/log.ts'
import type { AgentParts } from '../../options.ts'
import type { Program } from '../../program.ts'
import type { ReadinessCheck } from '../../readiness-check.ts'
import { heldDatagrams, heldSocket, type HeldSocket } from '../../sockets.ts'
import { capturePorts, type CaptureSocket, type FromHelper, type NamespaceKind, type ToHelper } from './messages.ts'

/** A network namespace for one program, with everything that leaves it caught. It is gone when its helper and the program are. */
export interface Namespace {
  /** Connections of the program, each redirected from where it was for. */
  readonly outbound: HeldSocket
  /** Its DNS over TCP. */
  readonly dns: HeldSocket
  /** Its DNS over UDP, on IPv4 and, where there is one, IPv6. */
  readonly datagrams: readonly HeldSocket[]
  /** Takes its other datagrams, in frames; or why they can only be refused here. */
  readonly carrier: HeldSocket | { readonly missing: string }
  /** Whether other datagrams are taken at all; refused at first. */
  allowDatagrams(allow: boolean): void
  /** False: its helper has ended, and everything inside with it. */
  readonly isOpen: boolean
  /** One program at a time. */
  start(command: readonly [string, ...string[]], env: Readonly<Record<string, string | undefined>>): Program
  /** Opens a connection to a port of the program: Node's own handle of it, or why there is none. */
  connect(port: number): Promise<{ readonly handle: unknown } | { readonly error: string }>
  /** Performs it beside the program, with its own `env`. Undefined: ready; else why not. */
  check(
    check: ReadinessCheck,
    parts: { readonly timeoutMs: number; readonly env: Readonly<Record<string, string | undefined>> },
  ): Promise<string | undefined>
  /** Ends the helper, and with it a program that is still there. */
  close(): void
}

const setUpMs = 10_000

/** The helper of this build: beside the bundle, or the source when the sources run. */
function ownHelperScript(): string {
  const built = fileURLToPath(new URL('./namespace-helper.js', import.meta.url))
  return fs.existsSync(built) ? built : fileURLToPath(new URL('helper.ts', import.meta.url))
}

/** Root needs no user namespace of its own, and without one its files and users stay as they are. */
const flags: Readonly<Record<NamespaceKind, readonly string[]>> = {
  root: ['--net'],
  user: ['--user', '--map-current-user', '--keep-caps', '--net'],
}

/** Small, since there is one beside every program. */
const nodeFlags = ['--max-old-space-size=32', '--max-semi-space-size=1', '--v8-pool-size=1']

/** What the helper itself needs; the program's environment comes later. */
const passedOn = ['PATH', 'TMPDIR', 'NODE_V8_COVERAGE']

interface Parts {
  readonly env: Readonly<Record<string, string | undefined>>
  /** Takes what the program writes; undefined: it has our own input and output. */
  readonly output: AgentParts['output']
  readonly clock: Clock
  readonly log: Log
}

/**
 * Makes a namespace, as root or as anybody else. `missing` is a sentence about what this system lacks or forbids; nothing is left
 * running then.
 */
export async function openNamespace(parts: Parts): Promise<Namespace | { readonly missing: string }> {
  if (process.platform !== 'linux') return { missing: 'this system has no network namespaces (Linux has)' }
  if (process.getuid?.() !== 0) return open('user', parts)
  const direct = await open('root', parts)
  // Root in a container may lack the right to a network namespace, and still be allowed a user namespace.
  if (!('missing' in direct)) return direct
  const asUser = await open('user', parts)
  return 'missing' in asUser ? direct : asUser
}

function open(
  kind: NamespaceKind,
  { env, output, clock, log }: Parts,
): Promise<Namespace | { readonly missing: string }> {
  const line = [...flags[kind], '--', process.execPath, ...nodeFlags, ownHelperScript(), kind]
  const path = `${env['PATH'] ?? ''}:/usr/sbin:/sbin`
  const helper = spawn('unshare', line, {
    // What goes wrong on the way in is for us to explain; the program gets our standard error as it is, by another number.
    stdio: output === undefined ? ['inherit', 'inherit', 'pipe', 'ipc', 2] : ['ignore', 'pipe', 'pipe', 'ipc', 'pipe'],
    detached: output !== undefined,
    env: { ...Object.fromEntries(passedOn.map((name) => [name, env[name]])), PATH: path },
  })
  helper.stdout?.on('data', (chunk: Buffer) => output?.('stdout', chunk))
  const programStderr = helper.stdio[4]
  if (programStderr instanceof Readable)
    programStderr.on('data', (chunk: Buffer) => output?.('stderr', chunk)).on('error', () => {})
  return new Promise((resolve) => {
    const handles = new Map<CaptureSocket, unknown>()
    const opened = createNamespace(helper, { handles, log })
    let said = ''
    let over = false
    const finish = (result: Namespace | { readonly missing: string }): void => {
      if (over) return
      over = true
      late.cancel()
      if ('missing' in result) helper.kill('SIGKILL')
      resolve(result)
    }
    const late = clock.after(setUpMs, () => finish({ missing: `no namespace within ${setUpMs} ms` }))
    helper.stderr?.setEncoding('utf8').on('data', (text: string) => {
      if (over) process.stderr.write(text)
      else said += text
    })
    helper.once('error', (error) =>
      finish({ missing: 'code' in error && error.code === 'ENOENT' ? '`unshare` is not installed' : error.message }),
    )
    helper.once('exit', () => finish({ missing: whyNot(said) }))
    helper.on('message', (message: FromHelper, handle: unknown) => {
      if (message.kind === 'socket') handles.set(message.which, handle)
      else if (message.kind === 'failed') finish({ missing: message.sentence })
      else if (message.kind === 'ready')
        finish(opened.complete(message.uncarried) ?? { missing: 'the helper handed out no sockets' })
      else opened.heard(message, handle)
    })
  })
}

/** What `unshare` said, and what it means. */
function whyNot(said: string): string {
  const line = said.trim().split('\n').at(-1) ?? ''
  const restricted = '/proc/sys/kernel/apparmor_restrict_unprivileged_userns'
  if (/Operation not permitted|No space left|write failed/.test(line)) {
    const remedy = fs.existsSync(restricted)
      ? ' (the setting kernel.apparmor_restrict_unprivileged_userns)'
      : ' (the settings user.max_user_namespaces and kernel.unprivileged_userns_clone, or the profile of a container)'
    return `this system forbids user namespaces: ${line}${remedy}`
  }
  return line === '' ? 'the helper ended at once' : `\`unshare\` failed: ${line}`
}

interface Opening {
  complete(uncarried: string | undefined): Namespace | undefined
  heard(message: FromHelper, handle: unknown): void
}

function createNamespace(
  helper: ChildProcess,
  { handles, log }: { handles: ReadonlyMap<CaptureSocket, unknown>; log: Log },
): Opening {
  const waiting = new Map<number, (message: FromHelper, handle: unknown) => void>()
  let ended = Promise.withResolvers<number>()
  let isOpen = true
  let nextId = 1
  let closing = false
  const send = (message: ToHelper): void => {
    if (helper.connected) helper.send(message, () => {})
  }
  const ask = (question: (id: number) => ToHelper): Promise<{ message: FromHelper; handle: unknown } | undefined> =>
    new Promise((resolve) => {
      if (!helper.connected) return resolve(undefined)
      const id = nextId++
      waiting.set(id, (message, handle) => resolve({ message, handle }))
      send(question(id))
    })
  helper.once('exit', () => {
    for (const settle of waiting.values()) settle({ kind: 'failed', sentence: 'the helper has ended' }, undefined)
    waiting.clear()
    isOpen = false
    if (!closing) log.error('the helper inside of the namespace has ended, and the program with it')
    ended.resolve(137)
  })

  return {
    heard(message, handle) {
      if (message.kind === 'ended') return ended.resolve(message.status)
      if (!('id' in message)) return
      const settle = waiting.get(message.id)
      waiting.delete(message.id)
      settle?.(message, handle)
    },
    complete(uncarried) {
      const outbound = heldSocket(handles.get('outbound'), { host: '::', port: capturePorts.outbound })
      const dns = heldSocket(handles.get('dns-tcp'), { host: '::', port: capturePorts.dns })
      if (outbound === undefined || dns === undefined) return undefined
      const datagrams = [heldDatagrams(handles.get('dns-udp4'), 4), heldDatagrams(handles.get('dns-udp6'), 6)]
      const carrier = heldDatagrams(handles.get('carrier'), 4, capturePorts.relay)
      return {
        outbound,
        dns,
        datagrams: datagrams.filter((one) => one !== undefined),
        carrier:
          uncarried === undefined && carrier !== undefined
            ? carrier
            : { missing: uncarried ?? `UDP port ${capturePorts.carrier} is taken` },
        allowDatagrams(allow) {
          if (allow && uncarried !== undefined)
            log.warn('datagrams that are not DNS cannot be carried here, and are refused', { reason: uncarried })
          send({ kind: 'datagrams', allow })
        },
        get isOpen() {
          return isOpen
        },
        start(command, env) {
          ended = Promise.withResolvers<number>()
          if (!isOpen) ended.resolve(137)
          send({ kind: 'run', command, env })
          return { pid: undefined, ended: ended.promise, signal: (name) => send({ kind: 'signal', name }) }
        },
        async connect(port) {
          const answer = await ask((id) => ({ kind: 'connect', id, port }))
          const error = answer?.message.kind === 'connected' ? answer.message.error : 'the helper has ended'
          return error === undefined ? { handle: answer?.handle } : { error }
        },
        async check(check, { timeoutMs, env }) {
          const answer = await ask((id) => ({ kind: 'check', id, check, timeoutMs, env }))
          return answer?.message.kind === 'checked' ? answer.message.unready : 'its namespace is gone'
        },
        close() {
          closing = true
          for (const held of [outbound, dns, ...datagrams, carrier]) held?.close()
          if (helper.connected) helper.disconnect()
        },
      }
    },
  }
}
