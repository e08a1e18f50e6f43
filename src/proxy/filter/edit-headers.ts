import { asWireText } from '../../base/string-match.ts'
import type { HeaderEdit, HeaderOption } from '../config.ts'
import type { HeaderField, Headers } from '../http/headers.ts'
import { isFault, type Call, type Layer, type Reply } from '../http/service.ts'
import { compileText } from '../format/value-of.ts'

/** The request's fields are edited before it goes on; undefined: nothing to do. */
export function editRequest(edits: readonly HeaderEdit[] | undefined): Layer | undefined {
  const edit = compileEdits(edits)
  if (edit === undefined) return undefined
  return (next) => (call) => {
    call.headers = edit(call.headers, call, undefined)
    return next(call)
  }
}

/** The final reply's fields are edited; what this proxy answers for a fault is not. Undefined: nothing to do. */
export function editReply(edits: readonly HeaderEdit[] | undefined): Layer | undefined {
  const edit = compileEdits(edits)
  if (edit === undefined) return undefined
  return (next) => (call) =>
    next(call).then((answer) => (isFault(answer) ? answer : { ...answer, headers: edit(answer.headers, call, answer) }))
}

type Edit = (headers: Headers, call: Call, reply: Reply | undefined) => Headers

function compileEdits(edits: readonly HeaderEdit[] = []): Edit | undefined {
  const [first, ...rest] = edits.map(compileEdit)
  return first === undefined
    ? undefined
    : rest.reduce<Edit>(
        (before, after) => (headers, call, reply) => after(before(headers, call, reply), call, reply),
        first,
      )
}

/** Whether fields are there is asked after the removals and before the rest, as Envoy does. */
function compileEdit({ remove, options }: HeaderEdit): Edit {
  const removed = new Set(remove)
  const always = options.filter(({ how }) => how === 'append' || how === 'overwrite')
  const overwritten = new Set(always.filter(({ how }) => how === 'overwrite').map(({ name }) => name))
  const fixed = always.every(({ value }) => typeof value === 'string')
  const ordered = [...always.filter(({ how }) => how === 'overwrite'), ...always.filter(({ how }) => how === 'append')]
  if (fixed && always.length === options.length) {
    const fields = ordered.flatMap((option) => fieldOf(option)() ?? [])
    return (headers) => [...headers.filter(({ name }) => !removed.has(name) && !overwritten.has(name)), ...fields]
  }
  const conditional = options.map((option) => ({ option, field: fieldOf(option) }))
  return (headers, call, reply) => {
    const left = headers.filter(({ name }) => !removed.has(name))
    const there = new Set(left.map(({ name }) => name))
    const holds = ({ how, name }: HeaderOption): boolean =>
      how === 'append' || how === 'overwrite' || there.has(name) === (how === 'overwrite-if-present')
    const active = conditional.flatMap(({ option, field }) => {
      const made = holds(option) ? field(call, reply) : undefined
      return made === undefined ? [] : [{ option, field: made }]
    })
    const overwrites = active.filter(({ option }) => option.how.startsWith('overwrite'))
    const gone = new Set(overwrites.map(({ option }) => option.name))
    const appended = active.filter(({ option }) => !option.how.startsWith('overwrite'))
    return [...left.filter(({ name }) => !gone.has(name)), ...[...overwrites, ...appended].map(({ field }) => field)]
  }
}

/** Makes the field; a value that has to be found out and is empty makes none. */
function fieldOf({ name, rawName, value }: HeaderOption): (call?: Call, reply?: Reply) => HeaderField | undefined {
  const make = (wire: string): HeaderField => ({ name, rawName, value: wire, line: `${rawName}: ${wire}\r\n` })
  if (typeof value === 'string') {
    const field = make(asWireText(value))
    return () => field
  }
  const text = compileText(value, { absent: '', wire: true })
  return (call, reply) => {
    const wire = call === undefined ? '' : text({ peer: call.peer, call, trace: call.trace, reply })
    return wire === '' ? undefined : make(wire)
  }
}
