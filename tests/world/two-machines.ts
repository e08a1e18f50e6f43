import assert from 'node:assert/strict'
import { randomInt } from 'node:crypto'
import type { TestContext } from 'node:test'
import { runToEnd } from './child.ts'

/** Two network namespaces with a cable between them: the two machines of the README's quickstart, 10.77.0.1 and 10.77.0.2. */
export async function twoMachines(
  t: TestContext,
): Promise<{ readonly one: readonly string[]; readonly two: readonly string[] }> {
  const id = randomInt(0x10000).toString(16)
  const names = [`weft${id}a`, `weft${id}b`] as const
  const ip = async (...args: readonly string[]): Promise<void> => {
    const env = { PATH: `${process.env['PATH'] ?? ''}:/usr/sbin:/sbin` }
    const { status, err } = await runToEnd(['ip', ...args], { env, cwd: '/' })
    assert.equal(status, 0, `ip ${args.join(' ')}: ${err}`)
  }
  t.after(async () => {
    for (const name of names) await ip('netns', 'delete', name).catch(() => {})
  })
  for (const name of names) await ip('netns', 'add', name)
  await ip('link', 'add', names[0], 'netns', names[0], 'type', 'veth', 'peer', 'name', names[1], 'netns', names[1])
  for (const [index, name] of names.entries()) {
    await ip('-n', name, 'address', 'add', `10.77.0.${index + 1}/24`, 'dev', name)
    await ip('-n', name, 'link', 'set', name, 'up')
    await ip('-n', name, 'link', 'set', 'lo', 'up')
  }
  return { one: ['ip', 'netns', 'exec', names[0]], two: ['ip', 'netns', 'exec', names[1]] }
}
