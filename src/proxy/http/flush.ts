/** Something that has gathered bytes to write. */
export interface Flushable {
  flush(): void
}

let dirty: Flushable[] = []

/** Calls `flush` once, after everything that this turn of the event loop has read was worked on. */
export function flushSoon(item: Flushable): void {
  if (dirty.push(item) === 1) setImmediate(flushAll)
}

function flushAll(): void {
  const items = dirty
  dirty = []
  for (const item of items) item.flush()
}
