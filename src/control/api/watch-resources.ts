import type { ServerResponse } from 'node:http'
import type { Clock } from '../../base/clock.ts'
import { formatKey } from '../decode/resource.ts'
import type { WatchLine } from './contract.ts'
import type { ApiParts, ResourceFilter, ResourceView } from './parts.ts'
import type { ApiReply } from './reply.ts'

/** Changes that come closer together than this are told once. */
const gatherMs = 50
/** A client that reads so slowly that this much waits for it is let go; it may list again. */
const backlogBytes = 8 * 1024 * 1024

/** What is there, then every change, one JSON line each, until the client goes away. `only` narrows it to one name. */
export function watchResources(
  parts: ApiParts,
  filter: ResourceFilter,
  only: string | undefined,
  clock: Clock,
): ApiReply {
  return {
    stream(response) {
      response.writeHead(200, { 'content-type': 'application/x-ndjson', 'cache-control': 'no-store' })
      response.flushHeaders()
      const told = new Map<string, string>()
      let due: { cancel(): void } | undefined
      let telling = Promise.resolve()
      const tell = async (): Promise<void> => {
        const { items } = await parts.list(filter)
        for (const line of changes(
          told,
          only === undefined ? items : items.filter(({ document }) => document.metadata.name === only),
        )) {
          if (response.destroyed) return
          response.write(`${JSON.stringify(line)}\n`)
        }
        if (response.writableLength > backlogBytes) response.destroy()
      }
      const soon = (): void => {
        telling = telling.then(tell).catch(() => void response.destroy())
      }
      const stop = parts.watch(() => {
        due ??= clock.after(gatherMs, () => {
          due = undefined
          soon()
        })
      })
      soon()
      return () => {
        stop()
        due?.cancel()
      }
    },
  }
}

/** The lines that bring a client from `told` (resource → its JSON, brought up to date here) to `items`. */
function changes(told: Map<string, string>, items: readonly ResourceView[]): readonly WatchLine[] {
  const lines: WatchLine[] = []
  const present = new Set<string>()
  for (const { document } of items) {
    const { namespace, name } = document.metadata
    const resource = formatKey({ kind: document.kind, namespace, name })
    const text = JSON.stringify(document)
    present.add(resource)
    if (told.get(resource) === text) continue
    told.set(resource, text)
    lines.push({ kind: 'put', resource: document })
  }
  for (const resource of told.keys()) {
    if (present.has(resource)) continue
    told.delete(resource)
    lines.push({ kind: 'delete', resource })
  }
  return lines
}

/** Ends the stream when its client goes, and never throws. */
export function startStream(response: ServerResponse, stream: (response: ServerResponse) => () => void): void {
  const stop = stream(response)
  response.on('close', stop)
}
