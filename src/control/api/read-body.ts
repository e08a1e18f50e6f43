import type { IncomingMessage } from 'node:http'

/** The largest body that is read: ten thousand resources of 1 kB. */
export const bodyLimitBytes: number = 10 * 1024 * 1024

export type BodyRead =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'too-large' }
  | { readonly kind: 'not-utf8' }
  /** The client went away in the middle. */
  | { readonly kind: 'aborted' }

/** The whole body as text, at most `limitBytes`. What comes after the limit is read and thrown away, so that the client hears the answer. */
export function readBody(request: IncomingMessage, limitBytes: number = bodyLimitBytes): Promise<BodyRead> {
  return new Promise((resolve) => {
    const chunks: Buffer[] = []
    let sizeBytes = 0
    request.on('data', (chunk: Buffer) => {
      sizeBytes += chunk.length
      if (sizeBytes <= limitBytes) chunks.push(chunk)
      else chunks.length = 0
      if (sizeBytes > 4 * limitBytes) {
        resolve({ kind: 'too-large' })
        request.destroy()
      }
    })
    request.on('end', () => resolve(sizeBytes > limitBytes ? { kind: 'too-large' } : decodeUtf8(Buffer.concat(chunks))))
    request.on('error', () => resolve({ kind: 'aborted' }))
    request.on('close', () => resolve({ kind: 'aborted' }))
  })
}

function decodeUtf8(bytes: Buffer): BodyRead {
  try {
    return { kind: 'text', text: new TextDecoder('utf-8', { fatal: true }).decode(bytes) }
  } catch {
    return { kind: 'not-utf8' }
  }
}
