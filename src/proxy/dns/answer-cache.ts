import type { Clock } from '../../base/clock.ts'
import { headerBytes, type Question } from './message.ts'
import { replyTimes } from './read-reply.ts'

/** Keeps what other resolvers answered for as long as they said, at most an hour; within bounds, the longest unused goes first. */
export interface AnswerCache {
  /** The reply to this very query, its times counted down; undefined: none is kept that is no larger than that. */
  get(query: Buffer, question: Question, limitBytes: number): Buffer | undefined
  put(query: Buffer, question: Question, reply: Buffer): void
}

interface Kept {
  readonly reply: Buffer
  readonly ttlAt: readonly number[]
  readonly sinceMs: number
  readonly untilMs: number
}

const maxEntries = 1000
/** A larger reply is rare, and asked for again. */
const maxReplyBytes = 4096
const longestSeconds = 3600

/** Empty. */
export function createAnswerCache(clock: Clock): AnswerCache {
  const kept = new Map<string, Kept>()
  return {
    get(query, question, limitBytes) {
      const key = keyOf(query, question)
      const found = kept.get(key)
      if (found === undefined || found.reply.length > limitBytes) return undefined
      kept.delete(key)
      const nowMs = clock.nowMs()
      if (nowMs >= found.untilMs) return undefined
      kept.set(key, found)
      return aged(found, query, question, Math.floor((nowMs - found.sinceMs) / 1000))
    },
    put(query, question, reply) {
      const times = reply.length > maxReplyBytes ? undefined : replyTimes(reply, question.end)
      if (times === undefined) return
      const key = keyOf(query, question)
      const sinceMs = clock.nowMs()
      const untilMs = sinceMs + Math.min(times.ttlSeconds, longestSeconds) * 1000
      kept.delete(key)
      const [oldest] = kept.size >= maxEntries ? kept.keys() : []
      if (oldest !== undefined) kept.delete(oldest)
      kept.set(key, { reply: Buffer.from(reply), ttlAt: times.ttlAt, sinceMs, untilMs })
    },
  }
}

/** All that a resolver's answer depends on: the flags that ask for something, the name in lower case, and what follows the question. */
const keyOf = (query: Buffer, { name, type, end }: Question): string =>
  `${query.readUInt16BE(2)} ${type} ${name} ${query.toString('latin1', end)}`

/** With the asker's own number and spelling of the name. */
function aged({ reply, ttlAt }: Kept, query: Buffer, { end }: Question, ageSeconds: number): Buffer {
  const copy = Buffer.from(reply)
  query.copy(copy, 0, 0, 2)
  query.copy(copy, headerBytes, headerBytes, end)
  for (const at of ttlAt) copy.writeUInt32BE(Math.max(0, copy.readUInt32BE(at) - ageSeconds), at)
  return copy
}
