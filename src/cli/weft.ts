import type { Terminal } from './terminal.ts'

/** The oldest Node that Weft runs on. */
const oldestMajor = 26

const major = Number(process.versions.node.split('.')[0])
if (major < oldestMajor) {
  process.stderr.write(
    `weft needs Node ${oldestMajor} or newer, this is ${process.version}. In the project's folder "npm start" and "npm run weft -- …" use the ` +
      `Node that "npm ci" brought along; elsewhere install Node ${oldestMajor}.\n`,
  )
  process.exit(1)
}

// Whoever started this over an IPC channel wants it to end with them.
if (process.connected) {
  process.channel?.unref()
  process.on('disconnect', () => void process.kill(process.pid, 'SIGTERM'))
}
// A reader that has gone (`weft get … | head -1`) is no error.
for (const stream of [process.stdout, process.stderr])
  stream.on('error', (error: NodeJS.ErrnoException) => process.exit(error.code === 'EPIPE' ? 0 : 1))

const terminal: Terminal = {
  out: (text) => void process.stdout.write(text),
  err: (text) => void process.stderr.write(text),
  colour: process.stdout.isTTY && process.stderr.isTTY && (process.env['NO_COLOR'] ?? '') === '',
  env: process.env,
  async stdin() {
    const chunks: Buffer[] = []
    for await (const chunk of process.stdin) chunks.push(Buffer.from(chunk))
    return Buffer.concat(chunks).toString('utf8')
  },
  async ask(question) {
    if (!process.stdin.isTTY) return undefined
    const { createInterface } = await import('node:readline/promises')
    const asking = createInterface({ input: process.stdin, output: process.stderr })
    const closed = new Promise<undefined>((resolve) => asking.once('close', () => resolve(undefined)))
    try {
      return await Promise.race([asking.question(question), closed])
    } finally {
      asking.close()
    }
  },
}
const { main } = await import('./program.ts')
process.exitCode = await main(process.argv.slice(2), terminal)
