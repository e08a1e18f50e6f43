import type { CurlReply } from '../world/curl.ts'
import type { Request } from './case.ts'

const withinMs = 10_000

/** Sends each frame and waits for its echo; the answer is 101 when all came back as they were. */
export function callWebSocket(url: string, { frames = [] }: Request): Promise<CurlReply> {
  return new Promise((resolve) => {
    const socket = new WebSocket(url)
    socket.binaryType = 'arraybuffer'
    const waiting = frames.map(({ text, binaryHex }) => text ?? binaryHex ?? '')
    const finish = (status: number, error = ''): void => {
      clearTimeout(late)
      socket.close()
      resolve({ status, headers: {}, body: '', error })
    }
    const late = setTimeout(() => finish(0, 'no echo in time'), withinMs)
    const sendNext = (): void => {
      const frame = frames[frames.length - waiting.length]
      if (frame === undefined) return finish(101)
      socket.send(frame.text ?? Buffer.from(frame.binaryHex ?? '', 'hex'))
    }
    socket.addEventListener('open', sendNext)
    socket.addEventListener('error', () => finish(0, 'the connection failed'))
    socket.addEventListener('message', ({ data }) => {
      const seen = typeof data === 'string' ? data : Buffer.from(data as ArrayBuffer).toString('hex')
      const wanted = waiting.shift()
      if (seen !== wanted) return finish(0, `echo is ${seen}, expected ${wanted}`)
      sendNext()
    })
  })
}
