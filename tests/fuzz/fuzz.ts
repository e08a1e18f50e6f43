import { seeded } from '../../src/base/random.ts'
import { mutated } from './mutate.ts'
import { cut, type Target } from './target.ts'

/** An input on which a reader broke its promise. */
export interface Finding {
  readonly target: string
  readonly bytes: Buffer
  readonly what: string
}

/** How far a run came. */
export interface Ran {
  readonly inputs: number
  readonly finding: Finding | undefined
}

/** The same bytes, whole, cut in a few places and one by one, must be read the same way, and nothing may be thrown. */
export async function tryInput(target: Target, bytes: Buffer, seed: number): Promise<Finding | undefined> {
  const random = seeded(seed)
  const finding = (what: string): Finding => ({ target: target.name, bytes, what })
  try {
    const whole = await target.read(bytes.length === 0 ? [] : [bytes])
    const ways = [
      cut(bytes, random, 4),
      ...(bytes.length < 512 ? [Array.from(bytes, (one) => Buffer.from([one]))] : []),
    ]
    for (const pieces of ways) {
      const again = await target.read(pieces)
      if (again !== whole) {
        return finding(
          `cut after ${pieces.map(({ length }) => length).join(' ')} bytes it is read as\n${again}\nwhole it is read as\n${whole}`,
        )
      }
    }
    return undefined
  } catch (error) {
    return finding(error instanceof Error ? (error.stack ?? error.message) : String(error))
  }
}

/** Tries the target's seeds, then changed ones until the time is up or a promise is broken. */
export async function fuzz(target: Target, { seed, untilMs }: { seed: number; untilMs: number }): Promise<Ran> {
  const random = seeded(seed)
  let inputs = 0
  const once = async (bytes: Buffer): Promise<Finding | undefined> => {
    inputs++
    return tryInput(target, bytes, random.index(2 ** 31))
  }
  for (const bytes of target.seeds) {
    const finding = await once(bytes)
    if (finding !== undefined) return { inputs, finding }
  }
  while (performance.now() < untilMs) {
    const finding = await once(mutated(target, random))
    if (finding !== undefined) return { inputs, finding }
  }
  return { inputs, finding: undefined }
}
