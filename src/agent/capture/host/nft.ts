import { spawnSync } from 'node:child_process'
import { installRules, readRules, removeRules, tableName, type HostRules } from './rules.ts'

type Env = Readonly<Record<string, string | undefined>>

/** Loads the rules into the network namespace of this process, in the place of older ones. A sentence: why not. */
export const install = (rules: HostRules, env: Env): string | undefined =>
  failureOf(nft(['-f', '-'], env, installRules(rules)))

/** Takes them away; nothing of them is left. A sentence: why not. */
export const remove = (env: Env): string | undefined => failureOf(nft(['-f', '-'], env, removeRules))

/** What is installed here; undefined: nothing. */
export function installed(env: Env): { readonly rules: HostRules | undefined } | { readonly failed: string } {
  const listed = nft(['-j', '-n', 'list', 'table', 'inet', tableName], env)
  if (listed.status === 0) return { rules: readRules(JSON.parse(listed.stdout)) }
  if (/No such file or directory/.test(listed.stderr)) return { rules: undefined }
  return { failed: failureOf(listed) ?? '' }
}

interface Ran {
  readonly status: number | null
  readonly stdout: string
  readonly stderr: string
  readonly error?: Error | undefined
}

const nft = (args: readonly string[], env: Env, input = ''): Ran =>
  spawnSync('nft', args, {
    input,
    encoding: 'utf8',
    env: { ...env, PATH: `${env['PATH'] ?? ''}:/usr/sbin:/sbin`, LC_ALL: 'C' },
  })

function failureOf({ status, stderr, error }: Ran): string | undefined {
  if (status === 0) return undefined
  if (error !== undefined)
    return 'code' in error && error.code === 'ENOENT' ? 'nft is not installed: install nftables' : error.message
  const line = stderr.trim().split('\n')[0] ?? ''
  return /Operation not permitted|you must be root/i.test(line)
    ? 'this needs root, or CAP_NET_ADMIN in this network namespace'
    : `nft: ${line}`
}
