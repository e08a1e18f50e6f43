import path from 'node:path'
import fs from 'node:fs'
import type { Running } from '../process.ts'
import { answers, start, until } from '../process.ts'
import { startNginx } from '../nginx.ts'
import type { Work } from './bootstrap.ts'
import { download, h2load, type Asking, type Got } from './loads.ts'
import { middleOf, type RouteCounts } from './route-table.ts'

/** One kind of load on one kind of chain of proxies. */
export interface Scenario {
  readonly title: string
  readonly work: Work
  /** What CPU time is divided by: "req", or "GB". */
  readonly unit: 'req' | 'GB'
  readonly backend: (dir: string, port: number) => Promise<Running>
  readonly load: (port: number, dir: string, seconds: number) => Promise<Got>
  /** So many requests a second, whatever happens: latency is noted, that of the backend by itself as well. */
  readonly paced?: boolean
  /** Comes before the first round; absent: the load itself. */
  readonly warmUp?: Scenario['load']
}

const largeBytes = 65_536
const fileBytes = 1_000_000_000

/** 100 bytes, 64 KiB or a file, over HTTP/2 in plain text. */
export async function webServer(dir: string, port: number): Promise<Running> {
  fs.mkdirSync(dir, { recursive: true })
  fs.writeFileSync(path.join(dir, 'large'), Buffer.alloc(largeBytes, 'x'))
  fs.closeSync(fs.openSync(path.join(dir, 'file'), 'w'))
  fs.truncateSync(path.join(dir, 'file'), fileBytes)
  return startNginx(
    dir,
    port,
    `server {
      listen 127.0.0.1:${port} http2 backlog=1024;
      sendfile on;
      http2_max_concurrent_streams 1000;
      location / { default_type text/plain; return 200 "${'x'.repeat(100)}"; }
      location /large { root ${dir}; open_file_cache max=10; }
      location /file { root ${dir}; }
    }`,
  )
}

/** For raw TCP: the same without HTTP/2. */
async function fileServer(dir: string, port: number): Promise<Running> {
  fs.mkdirSync(dir, { recursive: true })
  fs.closeSync(fs.openSync(path.join(dir, 'file'), 'w'))
  fs.truncateSync(path.join(dir, 'file'), fileBytes)
  return startNginx(dir, port, `server { listen 127.0.0.1:${port}; sendfile on; location / { root ${dir}; } }`)
}

async function grpcServer(dir: string, port: number): Promise<Running> {
  fs.mkdirSync(dir, { recursive: true })
  const running = start([process.execPath, path.join(import.meta.dirname, 'grpc-backend.mjs'), String(port)], {
    cwd: dir,
  })
  await until('the gRPC program listens', () => answers(port), running)
  return running
}

const ask =
  (asking: Omit<Asking, 'seconds'>, target: string): Scenario['load'] =>
  (port, dir, seconds) =>
    h2load(port, target, dir, { ...asking, seconds })

const small = (connections: number, streams: number): Scenario => ({
  title: `HTTP/2, ${connections} connections × ${streams} streams, 100 bytes`,
  work: { protocol: 'h2', mtls: false },
  unit: 'req',
  backend: webServer,
  load: ask({ connections, streams }, '/'),
})

/** A message of 32 bytes in its frame. Source: gRPC over HTTP/2, "Length-Prefixed-Message". */
const message = Buffer.concat([Buffer.from([0, 0, 0, 0, 32]), Buffer.alloc(32, 'm')])

const paced = (perSecond: number): Scenario => ({
  title: `HTTP/2 at ${perSecond} requests/s over 16 connections, two proxies, mTLS between`,
  work: { protocol: 'h2', mtls: true },
  unit: 'req',
  backend: webServer,
  load: ask({ connections: 16, streams: 1, perSecond }, '/'),
  paced: true,
  // Who runs for hours has compiled what it runs; at this pace that would take minutes.
  warmUp: ask({ connections: 16, streams: 4 }, '/'),
})

function routing(counts: RouteCounts): Scenario {
  const { authority, target } = middleOf(counts)
  return {
    ...small(4, 16),
    title: `HTTP/2, ${counts.hosts * counts.paths} routes (hosts × paths: ${counts.hosts} × ${counts.paths}), the one in the middle is asked`,
    work: { protocol: 'h2', mtls: false, routes: counts },
    load: ask({ connections: 4, streams: 16, authority }, target),
  }
}

/** By the names that `npm run bench` takes. */
export const scenarios: Readonly<Record<string, readonly Scenario[]>> = {
  http2: [small(4, 16), small(64, 1), small(1, 1)],
  grpc: [
    {
      title: 'gRPC unary, 4 connections × 16 streams, two proxies, mTLS between',
      work: { protocol: 'h2', mtls: true },
      unit: 'req',
      backend: grpcServer,
      load: ask({ connections: 4, streams: 16, message }, '/bench.Echo/Say'),
    },
  ],
  bodies: [
    {
      title: 'HTTP/2, replies of 64 KiB, 4 connections × 16 streams',
      work: { protocol: 'h2', mtls: false },
      unit: 'GB',
      backend: webServer,
      async load(port, dir, seconds) {
        const got = await h2load(port, '/large', dir, { connections: 4, streams: 16, seconds })
        return { ...got, units: got.units * largeBytes }
      },
    },
  ],
  tcp: [
    {
      title: 'raw TCP, one download of 1 GB',
      work: { protocol: 'tcp', mtls: false },
      unit: 'GB',
      backend: fileServer,
      load: (port, dir) => download(port, '/file', dir, fileBytes),
    },
  ],
  latency: [paced(200), paced(1000)],
  routes: [1, 10, 100].map((side) => routing({ hosts: side, paths: side })),
}
