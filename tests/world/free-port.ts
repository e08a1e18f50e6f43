import { freePorts } from '../../src/base/free-ports.ts'
import { systemRandom } from '../../src/base/random.ts'

const given = new Set<number>()

/** A port of loopback that nobody listens on now, and that was not given out before by this process. */
export async function freePort(): Promise<number> {
  const [port = 0] = await freePorts(1, systemRandom)
  if (given.has(port)) return freePort()
  given.add(port)
  return port
}
