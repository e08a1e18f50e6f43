import fs from 'node:fs'
import http from 'node:http'
import os from 'node:os'
import path from 'node:path'
import type { TestContext } from 'node:test'
import { parseAllDocuments } from 'yaml'
import { systemClock } from '../../../base/clock.ts'
import { silentLog } from '../../../base/log.ts'
import type { Problem } from '../../../base/problem.ts'
import { memoryStore } from '../../collect/memory-store.ts'
import type { Store, StoredDocument } from '../../collect/store.ts'
import { decodeDocument } from '../../decode/decode.ts'
import type { Document, ResourceKey } from '../../decode/resource.ts'
import { apiToken } from '../api-token.ts'
import { startApi } from '../api.ts'
import type { ApiParts, ApplyCheck, ResourceView } from '../parts.ts'

/** A running API over the real store and decoders; sessions and proxies are made up. */
export interface ApiWorld {
  readonly dataDir: string
  readonly port: number
  readonly token: string
  readonly store: Store
  /** Shown beside what is stored, as resources of files and registrations are. */
  readonly others: ResourceView[]
  readonly call: (method: string, path: string, body?: string) => Promise<Got>
  readonly callTcp: (method: string, path: string, headers?: http.OutgoingHttpHeaders, body?: string) => Promise<Got>
}

export interface Got {
  readonly status: number
  readonly text: string
  /** For tests: the body as what it should be. */
  json<T>(): T
}

/** Ends with the test. */
export async function apiWorld(context: TestContext, more: Partial<ApiParts> = {}): Promise<ApiWorld> {
  const dataDir = fs.mkdtempSync(path.join(os.tmpdir(), 'weft-api-'))
  const store = memoryStore({ clock: systemClock })
  const others: ResourceView[] = []
  const token = apiToken(dataDir)
  const unixPath = path.join(dataDir, 'api.sock')
  const server = await startApi({
    listen: [{ unixPath }, { address: { host: '127.0.0.1', port: 0 } }],
    parts: { ...partsOver(store, others), ...more },
    token,
    hosts: ['mesh.example'],
    clock: systemClock,
    log: silentLog,
  })
  context.after(async () => {
    await server.stop()
    await store.close()
    fs.rmSync(dataDir, { recursive: true })
  })
  const port = server.addresses[0]?.port ?? 0
  return {
    dataDir,
    port,
    token,
    store,
    others,
    call: (method, at, body) => call({ socketPath: unixPath, method, path: at }, body),
    callTcp: (method, at, headers = {}, body) => call({ host: '127.0.0.1', port, method, path: at, headers }, body),
  }
}

function partsOver(store: Store, others: readonly ResourceView[]): ApiParts {
  const mine = (document: StoredDocument): ResourceView => ({ document, owner: { kind: 'store' } })
  const same = ({ kind, namespace, name }: ResourceKey, { document }: ResourceView): boolean =>
    document.kind === kind && document.metadata.namespace === namespace && document.metadata.name === name
  return {
    store,
    info: () => ({
      version: '1',
      trustDomain: 'weft.local',
      xdsAddress: '127.0.0.1:1',
      apiAddress: '127.0.0.1:2',
      rootHash: 'sha256:00',
      timeMs: 0,
    }),
    check,
    backUp: async () => ({ file: 'backup-00.new' }),
    async list(filter) {
      const { items, revision } = await store.list(filter)
      const more = others.filter(({ document }) => filter.kind === undefined || document.kind === filter.kind)
      return { items: [...items.map(mine), ...more], revision }
    },
    async read(key) {
      const stored = await store.get(key)
      return stored === undefined ? others.find((one) => same(key, one)) : mine(stored)
    },
    watch(changed) {
      let stop = (): void => {}
      void store.list().then(async ({ revision }) => {
        const watching = await store.watch(revision, changed)
        if (watching.kind === 'watching') stop = watching.stop
      })
      return () => stop()
    },
    proxies: () => [{ proxy: 'default/web-1', connected: true, revision: 3, forMs: 1, types: [] }],
    served: async (revision, deadlineMs) =>
      deadlineMs > 0
        ? { revision, served: ['default/web-1'], refused: [], laggards: [] }
        : {
            revision,
            served: [],
            refused: [{ proxy: 'default/a', type: 'RDS', name: 'default/web/80', reason: 'no such thing' }],
            laggards: [{ proxy: 'default/b', connected: true, waitingFor: ['CDS default/web/80'] }],
          },
    ask: async (proxy, what) =>
      proxy === 'default/web-1' ? { kind: 'answer', json: { what } } : { kind: 'unknown-proxy' },
    issueToken: async ({ ttlMs = 0 }) =>
      ttlMs === 1000 ? { refused: 'xDS is on loopback only' } : { issued: { token: 'weft1.x', expiresMs: ttlMs } },
    metrics: () => '# none\n',
  }
}

function check(text: string): ApplyCheck {
  const documents: Document[] = []
  const problems: Problem[] = []
  const parsed = parseAllDocuments(text)
  for (const [index, one] of ('empty' in parsed ? [] : parsed).entries()) {
    const [error] = one.errors
    if (error !== undefined) {
      problems.push({ severity: 'error', resource: `document ${index + 1}`, field: '', message: error.message })
      continue
    }
    const value: unknown = one.toJS()
    if (value === null) continue
    const decoded = decodeDocument(value, { index: index + 1 })
    if ('problems' in decoded) problems.push(...decoded.problems)
    else documents.push(value as Document)
  }
  return { documents, problems }
}

function call(options: http.RequestOptions, body = ''): Promise<Got> {
  return new Promise((resolve, reject) => {
    const request = http.request({ ...options, agent: false }, (response) => {
      const chunks: Buffer[] = []
      response.on('data', (chunk: Buffer) => void chunks.push(chunk))
      response.on('end', () => {
        const text = Buffer.concat(chunks).toString()
        resolve({ status: response.statusCode ?? 0, text, json: () => JSON.parse(text) })
      })
    })
    request.on('error', reject)
    request.end(body)
  })
}
