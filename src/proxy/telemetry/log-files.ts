import fs from 'node:fs'

/** Access logs by path. */
export interface LogFiles {
  /** Takes lines with their ends for this path, which is opened on its first line; "/dev/stdout" and "/dev/stderr" are handed in. */
  to(path: string): (line: string) => void
  /** Writes what is left and closes the files. */
  close(): Promise<void>
}

/** What waits for a slow disk; more is dropped, in bytes. */
const maxWaitingBytes = 8 * 1024 * 1024

/** `failed` is told once for each file that cannot be written, and of the first line that was dropped. */
export function createLogFiles(parts: {
  readonly stdout: (line: string) => void
  readonly stderr: (line: string) => void
  readonly failed: (path: string, reason: string) => void
}): LogFiles {
  const open = new Map<string, { readonly stream: fs.WriteStream; told: boolean }>()
  const fileOf = (path: string): { readonly stream: fs.WriteStream; told: boolean } => {
    let file = open.get(path)
    if (file === undefined) {
      const made = { stream: fs.createWriteStream(path, { flags: 'a' }), told: false }
      made.stream.on('error', (error) => tell(path, made, error.message))
      open.set(path, (file = made))
    }
    return file
  }
  const tell = (path: string, file: { told: boolean }, reason: string): void => {
    if (!file.told) parts.failed(path, reason)
    file.told = true
  }
  return {
    to(path) {
      if (path === '/dev/stdout') return parts.stdout
      if (path === '/dev/stderr') return parts.stderr
      return (line) => {
        const file = fileOf(path)
        if (file.stream.destroyed) return
        if (file.stream.writableLength > maxWaitingBytes)
          return tell(path, file, 'it takes lines too slowly: some are dropped')
        file.stream.write(line)
      }
    },
    async close() {
      await Promise.all(Array.from(open.values(), ({ stream }) => ended(stream)))
    },
  }
}

const ended = (stream: fs.WriteStream): Promise<void> =>
  new Promise((resolve) => (stream.destroyed ? resolve() : stream.once('close', () => resolve()).end()))
