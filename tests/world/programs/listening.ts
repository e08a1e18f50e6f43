// What the collectors of these tests listen with.
import { once } from 'node:events'
import http from 'node:http'
import grpc from '@grpc/grpc-js'

/** The port of loopback on which it listens now, in plain text; 0: any. */
export const listenGrpc = (server: grpc.Server, port: number): Promise<number> =>
  new Promise((resolve, reject) =>
    server.bindAsync(`127.0.0.1:${port}`, grpc.ServerCredentials.createInsecure(), (error, bound) =>
      error === null ? resolve(bound) : reject(error),
    ),
  )

/** One request that has come whole. */
export interface Post {
  /** Its fields, and `:path` and `:method`. */
  readonly fields: Readonly<Record<string, unknown>>
  readonly contentType: string
  readonly body: Buffer
}

/** A server of HTTP; `take` answers with a status, and what type it says its empty answer is. */
export async function listenHttp(
  port: number,
  take: (post: Post) => { readonly status: number; readonly contentType?: string },
): Promise<{ readonly port: number; stop(): void }> {
  const server = http.createServer((request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      const { headers, url, method } = request
      const { status, contentType } = take({
        fields: { ...headers, ':path': url, ':method': method },
        contentType: headers['content-type'] ?? '',
        body: Buffer.concat(chunks),
      })
      if (contentType !== undefined) response.setHeader('content-type', contentType)
      response.writeHead(status).end()
    })
  })
  server.listen(port, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  return {
    port: typeof address === 'object' && address !== null ? address.port : 0,
    stop() {
      server.close()
      server.closeAllConnections()
    },
  }
}
