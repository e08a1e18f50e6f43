import assert from 'node:assert/strict'
import fs from 'node:fs'
import path from 'node:path'
import { until } from '../../world/until.ts'
import { listenerName, type Case, type LogSpec } from './case.ts'
import type { RunningProxy } from './proxies.ts'

/** Compares what the two have written into one log, in whatever order. */
export async function compareLog(
  one: Case,
  name: string,
  spec: LogSpec,
  proxies: readonly [envoy: RunningProxy, weft: RunningProxy],
): Promise<void> {
  const [envoy, weft] = await Promise.all(proxies.map((proxy) => linesOf(one, name, spec, proxy)))
  assert.deepEqual(weft, envoy, 'weft (+) does not tell what Envoy does (-)')
}

async function linesOf(one: Case, name: string, spec: LogSpec, proxy: RunningProxy): Promise<readonly unknown[]> {
  const file = path.join(proxy.logs, `${one.name}.${name}`)
  const read = (): string[] => (fs.existsSync(file) ? fs.readFileSync(file, 'utf8').split('\n').slice(0, -1) : [])
  await until(`${proxy.name} has written ${spec.lines} lines of ${name}`, () =>
    Promise.resolve(read().length >= spec.lines ? true : undefined),
  ).catch(() => {})
  const lines = read().toSorted()
  assert.equal(lines.length, spec.lines, `${proxy.name} has written\n${lines.join('\n')}`)
  const places = Object.keys(one.listeners).map(
    (listener) =>
      [
        new RegExp(`(?<=[\\w\\]]):${proxy.portOf(listenerName(one, listener))}\\b`, 'g'),
        `:(port of ${listener})`,
      ] as const,
  )
  return lines
    .map((line) => places.reduce((text, [port, place]) => text.replaceAll(port, place), line))
    .map((line) => (line.startsWith('{') ? normalJson(line, spec) : normalText(line, spec)))
    .toSorted((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1))
}

/** With the types of values that are each proxy's own. */
function normalJson(line: string, { any = [], differ = {} }: LogSpec): unknown {
  const fields = JSON.parse(line) as Record<string, unknown>
  return Object.fromEntries(
    Object.entries(fields).flatMap(([name, value]) => {
      if (name in differ) return []
      return [[name, any.includes(name) && value !== null ? `(${typeof value})` : value]]
    }),
  )
}

const normalText = (line: string, { any = [], differ = {} }: LogSpec): string =>
  line.replaceAll(/([\w-]+)=(\S+)/g, (whole, name: string, value: string) => {
    if (name in differ) return `${name}=`
    return any.includes(name) && value !== '-' ? `${name}=(any)` : whole
  })
