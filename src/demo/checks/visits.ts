import { httpGet } from '../http-get.ts'
import type { Instance, World } from '../world.ts'

/** What came of many calls made by one program through its sidecar. */
export interface Visits {
  readonly ok: number
  readonly failed: number
  /** "v1" → answers. */
  readonly versions: Readonly<Record<string, number>>
  readonly lastFailure: string
}

/** The running instance of a service; throws when there is none: a check cannot go on then. */
export function instanceOf(world: World, service: string): Instance {
  const found = world.instances().find((one) => one.service === service)
  if (found === undefined) throw new Error(`no instance of ${service} runs`)
  return found
}

/** Has the program of `caller` call `name` (see /call/NAME of the sample service) `count` times, `width` at a time. */
export async function visit(caller: Instance, name: string, count: number, width = 8): Promise<Visits> {
  const versions: Record<string, number> = {}
  let left = count
  let ok = 0
  let lastFailure = ''
  const one = async (): Promise<void> => {
    while (left-- > 0) {
      const { status, text } = await httpGet(`http://127.0.0.1:${caller.port}/call/${name}`)
      if (status !== 200) {
        lastFailure = `${status} ${text.trim().slice(0, 200)}`
        continue
      }
      ok++
      const version = /"version":"([^"]+)"/.exec(text)?.[1] ?? '?'
      versions[version] = (versions[version] ?? 0) + 1
    }
  }
  await Promise.all(Array.from({ length: width }, one))
  return { ok, failed: count - ok, versions, lastFailure }
}
