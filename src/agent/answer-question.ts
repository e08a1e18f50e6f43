import { decode, integer, object, withDefault } from '../base/decode.ts'
import type { Question, Sidecar, SidecarAnswer } from './sidecar-process.ts'

/** What somebody may ask a sidecar through the control plane. */
const questions: readonly string[] = [
  'config',
  'clusters',
  'stats',
  'certs',
  'explain',
  'probe',
] satisfies readonly Question[]
const questionMs = 5000

/** How long a sidecar that was replaced may finish what it has, ms. Envoy's hot restart gives the same: --drain-time-s. */
export const defaultFinishMs = 600_000
const upgradeDetail = object({ finishMs: withDefault(integer({ min: 0, max: 86_400_000 }), defaultFinishMs) })

/** The answer to a request that came by the Session. */
export function answerQuestion(
  sidecar: Pick<Sidecar, 'ask' | 'upgrade'>,
  kind: string,
  detail: unknown,
): Promise<SidecarAnswer> {
  if (kind === 'upgrade') return upgrade(sidecar, detail)
  if (questions.includes(kind)) return sidecar.ask({ what: kind as Question, detail }, questionMs)
  return Promise.resolve({ failed: `this agent knows no "${kind}"` })
}

async function upgrade(sidecar: Pick<Sidecar, 'upgrade'>, detail: unknown): Promise<SidecarAnswer> {
  const read = decode(upgradeDetail, detail ?? {})
  if ('issues' in read) return { failed: read.issues.map(({ path, message }) => `${path}: ${message}`).join('; ') }
  const done = await sidecar.upgrade(read.value.finishMs)
  return 'failed' in done ? done : { json: done }
}
