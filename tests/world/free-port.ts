import { freePorts, manyPorts } from '../../src/base/free-ports.ts'
import { systemRandom } from '../../src/base/random.ts'

/** Test files run at once, and some leave a port alone for a while: each process has a part of the range that the next ones have not. */
const parts = 40
const size = (manyPorts.to - manyPorts.from) / parts
const from = manyPorts.from + (process.pid % parts) * size
const own = { from, to: from + size }

const given = new Set<number>()

/** A port of loopback that nobody listens on now, and that was not given out before by this process. */
export async function freePort(): Promise<number> {
  const [port = 0] = await freePorts(1, systemRandom, own)
  if (given.has(port)) return freePort()
  given.add(port)
  return port
}
