// A collector of Zipkin's second API: a server of node:http that keeps what came.
import { once } from 'node:events'
import http from 'node:http'
import { readZipkinSpans, type ZipkinSpan } from '../../../src/proxy/tracing/testing/read-zipkin.ts'

export interface ZipkinCollector {
  readonly port: number
  /** All that came by now; may be emptied. */
  readonly spans: ZipkinSpan[]
  /** Fields, path, method and number of spans of each export. */
  readonly exports: Readonly<Record<string, unknown>>[]
  /** From now on exports are answered with this status. */
  answer(status: number): void
  stop(): void
}

/** Listens on loopback. `idInProtobuf`: how ids of spans are to be read in Protocol Buffers; absent: as they stand. */
export async function startZipkinCollector(idInProtobuf?: (id: string) => string): Promise<ZipkinCollector> {
  const spans: ZipkinSpan[] = []
  const exports: Record<string, unknown>[] = []
  let status = 202
  const server = http.createServer((request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      const came = readZipkinSpans(Buffer.concat(chunks), request.headers['content-type'] ?? '', idInProtobuf)
      exports.push({ ...request.headers, ':path': request.url, ':method': request.method, count: came.length })
      if (status === 202) spans.push(...came)
      response.writeHead(status).end()
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  return {
    port: typeof address === 'object' && address !== null ? address.port : 0,
    spans,
    exports,
    answer: (next) => void (status = next),
    stop() {
      server.close()
      server.closeAllConnections()
    },
  }
}
