import { spawn, spawnSync, type ChildProcess } from 'node:child_process'
import fs from 'node:fs'
import os from 'node:os'
import { systemClock } from '../../../base/clock.ts'
import { settleMemory } from '../../../base/memory.ts'
import { findCommand } from '../../program.ts'
import { performCheck } from '../../readiness-check.ts'
import { boundTcp, boundUdp, openTcp } from './inside-sockets.ts'
import { capturePorts, type CaptureSocket, type FromHelper, type NamespaceKind, type ToHelper } from './messages.ts'
import { captureRules, datagramRules, datagramVerdict, routeCommands } from './rules.ts'

// Lives inside the program's namespaces, as its parent: sets them up, opens sockets and connections there and hands them out, starts the
// program without the capabilities that this took, and takes all down when the agent is gone.

/** A program that does not end by itself when the agent is gone is cut off: it has no network any more. */
const orphanMs = 5000

/** What the program may not keep. Root without a user namespace stays root, but for the right to change the rules that hold for it. */
const privileges: Readonly<Record<NamespaceKind, readonly string[]>> = {
  user: ['--ambient-caps=-all', '--inh-caps=-all', '--bounding-set=-all'],
  root: ['--ambient-caps=-all', '--inh-caps=-net_admin', '--bounding-set=-net_admin'],
}

const kind: NamespaceKind = process.argv[2] === 'root' ? 'root' : 'user'
/** Our own goes to the agent; see there. */
const programStderr = 4
let program: ChildProcess | undefined
/** Why datagrams that are not DNS can only be refused; undefined: the relay carries them. */
let uncarried: string | undefined
const nft = ['nft', '-f', '-'] as const
const hasIpv6 = fs.existsSync('/proc/net/if_inet6')

const send = (message: FromHelper, handle?: object, sent: () => void = () => {}): void => {
  // The agent is gone; 'disconnect' tells.
  if (!process.connected) return sent()
  // A handle of Node's own goes as it is: the types know only sockets, which the other side would begin to read.
  process.send?.(message, handle as never, {}, sent)
}

// The terminal's signals reach the whole group; who is to end, and when, the agent says.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT'] as const) process.on(signal, () => {})
process.on('disconnect', () => {
  if (program === undefined) return process.exit(0)
  program.once('exit', () => process.exit(0))
  program.kill('SIGTERM')
  systemClock.after(orphanMs, () => {
    program?.kill('SIGKILL')
    process.exit(0)
  })
})
process.on('message', (message) => hear(message as ToHelper))

function hear(message: ToHelper): void {
  switch (message.kind) {
    case 'run':
      return run(message)
    case 'signal':
      return void program?.kill(message.name)
    case 'datagrams':
      if (uncarried === undefined) failureOf(nft, datagramVerdict(message.allow, hasIpv6))
      return
    case 'connect':
      return void connect(message.id, message.port)
    case 'check': {
      const { id, check, timeoutMs, env } = message
      const parts = { clock: systemClock, timeoutMs, env, prefix: [...withoutPrivileges(), '--'] }
      return void performCheck(check, parts).then((unready) => send({ kind: 'checked', id, unready }))
    }
  }
}

/** To put before a command. Found by our own path, the command by the program's. */
function withoutPrivileges(): readonly string[] {
  const setpriv = findCommand('setpriv', process.env)
  return ['file' in setpriv ? setpriv.file : 'setpriv', ...privileges[kind]]
}

/** With the terminal and files that we were given. It dies with us: outside of this namespace nobody could reach it. */
function run({ command, env }: Extract<ToHelper, { kind: 'run' }>): void {
  const [setpriv = '', ...flags] = withoutPrivileges()
  const started = spawn(setpriv, [...flags, '--pdeathsig', 'KILL', '--', ...command], {
    stdio: ['inherit', 'inherit', programStderr],
    env: { ...env },
  })
  program = started
  const ended = (status: number): void => {
    program = undefined
    send({ kind: 'ended', status })
  }
  // The file may have gone since it was looked for; 127 is what shells say then.
  started.once('error', () => ended(127))
  started.once('exit', (status, signal) => ended(status ?? 128 + os.constants.signals[signal ?? 'SIGKILL']))
}

async function connect(id: number, port: number): Promise<void> {
  const opened = await openTcp(port)
  if ('error' in opened) return send({ kind: 'connected', id, error: opened.error })
  send({ kind: 'connected', id }, opened.handle, () => opened.done())
}

/** Undefined: done; else what the command said. */
function failureOf([command, ...args]: readonly [string, ...string[]], input = ''): string | undefined {
  const { status, stderr, error } = spawnSync(command, args, { input, encoding: 'utf8' })
  if (status === 0) return undefined
  if (error !== undefined) return 'code' in error && error.code === 'ENOENT' ? 'is not installed' : error.message
  return `failed: ${stderr.trim().split('\n')[0] ?? ''}`
}

/** Loads the rules with those for datagrams, and serves them. A sentence: why that cannot be here, where without them all else may. */
async function carryDatagrams(): Promise<string | undefined> {
  try {
    // First: without the module for system calls there are no rules that send anything there.
    const { startDatagramRelay } = await import('./datagram-relay.ts')
    startDatagramRelay(hasIpv6)
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
  const failure = failureOf(nft, captureRules + datagramRules(hasIpv6))
  return failure === undefined ? undefined : `\`nft\` ${failure}`
}

async function setUp(): Promise<string | undefined> {
  for (const { line, optional } of routeCommands) {
    const failure = failureOf(line)
    if (failure !== undefined && !optional) return `\`${line.join(' ')}\` ${failure}`
  }
  uncarried = await carryDatagrams()
  const failure = uncarried === undefined ? undefined : failureOf(nft, captureRules)
  if (failure !== undefined) return `\`nft\` ${failure}`
  const dropping = failureOf(['setpriv', ...privileges[kind], '--', 'true'])
  return dropping === undefined ? undefined : `\`setpriv\` ${dropping}`
}

async function handOut(): Promise<void> {
  const udp: readonly [CaptureSocket, string, number][] = [
    ['dns-udp4', '127.0.0.1', capturePorts.dns],
    ['dns-udp6', '::1', capturePorts.dns],
    ['carrier', '127.0.0.1', capturePorts.carrier],
  ]
  send({ kind: 'socket', which: 'outbound' }, boundTcp(capturePorts.outbound))
  send({ kind: 'socket', which: 'dns-tcp' }, boundTcp(capturePorts.dns))
  for (const [which, host, port] of udp) {
    const bound = await boundUdp(host, port)
    if ('handle' in bound) send({ kind: 'socket', which }, bound.handle)
  }
  send({ kind: 'ready', ...(uncarried === undefined ? {} : { uncarried }) })
}

const sentence = await setUp()
if (sentence === undefined) {
  await handOut()
  settleMemory(systemClock)
} else send({ kind: 'failed', sentence }, undefined, () => process.exit(1))
