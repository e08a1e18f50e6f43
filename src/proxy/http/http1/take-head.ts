import type { Fault } from '../fault.ts'
import { isRefusal } from './framing.ts'
import type { Inbox } from './inbox.ts'
import { readRequestHead, type RequestHead } from './request-head.ts'
import { badRequest, refusalOf } from './server-faults.ts'
import type { Http1ServerParts } from './server-parts.ts'

/** The head that has come, or why it is refused; undefined: not all of it is here. */
export function takeHead(
  inbox: Inbox,
  { defaultHost, refuseRelative }: Pick<Http1ServerParts, 'defaultHost' | 'refuseRelative'>,
): RequestHead | Fault | undefined {
  const text = inbox.takeHead()
  const { trouble } = inbox
  if (text === undefined && trouble === undefined) return undefined
  const head = text === undefined ? refusalOf(trouble) : readRequestHead(text, defaultHost)
  if (isRefusal(head)) return badRequest(head)
  const relative = head.absolute ? undefined : refuseRelative?.(head.authority)
  return relative === undefined ? head : badRequest({ status: 400, cause: relative })
}
