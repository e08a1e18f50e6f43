// A collector of Zipkin's second API: a server of node:http that keeps what came.
import { readZipkinSpans, type ZipkinSpan } from '../../../src/proxy/tracing/testing/read-zipkin.ts'
import { listenHttp } from './listening.ts'

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
  const server = await listenHttp(0, ({ fields, contentType, body }) => {
    const came = readZipkinSpans(body, contentType, idInProtobuf)
    exports.push({ ...fields, count: came.length })
    if (status === 202) spans.push(...came)
    return { status }
  })
  return {
    port: server.port,
    spans,
    exports,
    answer: (next) => void (status = next),
    stop: () => server.stop(),
  }
}
