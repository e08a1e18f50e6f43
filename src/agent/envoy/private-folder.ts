import fs from 'node:fs'
import net from 'node:net'
import os from 'node:os'
import path from 'node:path'

/** A folder that only we can look into, with what an Envoy needs to start. */
export interface PrivateFolder {
  readonly bootstrap: string
  /** Where the agent serves secrets. While somebody listens here the folder is in use. */
  readonly socket: string
  /** Writes Envoy's process number, by which it is found if we are gone without a word. */
  note(pid: number): void
  remove(): void
}

const prefix = 'weft-envoy-sidecar-'
/** Between making a folder and listening in it. */
const youngMs = 60_000
/** Of a Unix socket's path, bytes. Source: sockaddr_un of Linux (108) and macOS (104), each with a final 0. */
const maxPathBytes = 103

/** Makes one in the temporary folder of this machine; a sentence when that does not work. */
export function privateFolder(): PrivateFolder | { readonly failed: string } {
  let folder: string
  try {
    folder = fs.mkdtempSync(path.join(os.tmpdir(), prefix))
  } catch (error) {
    return { failed: `no private folder for Envoy: ${error instanceof Error ? error.message : String(error)}` }
  }
  const files = filesOf(folder)
  if (Buffer.byteLength(files.socket) > maxPathBytes) {
    fs.rmSync(folder, { recursive: true })
    return { failed: `${os.tmpdir()} is too long for a Unix socket: set TMPDIR to a shorter folder` }
  }
  return {
    ...files,
    note: (pid) => fs.writeFileSync(files.pid, String(pid), { mode: 0o600 }),
    remove: () => fs.rmSync(folder, { recursive: true, force: true }),
  }
}

const filesOf = (folder: string) => ({
  bootstrap: path.join(folder, 'bootstrap.json'),
  socket: path.join(folder, 'agent.sock'),
  pid: path.join(folder, 'pid'),
})

/** Removes the folders of agents that were killed, and ends the Envoys that they left. Gives how many. */
export async function sweepFolders(nowMs: number): Promise<number> {
  const names = fs.readdirSync(os.tmpdir()).filter((name) => name.startsWith(prefix))
  const swept = await Promise.all(names.map((name) => sweep(path.join(os.tmpdir(), name), nowMs)))
  return swept.filter(Boolean).length
}

async function sweep(folder: string, nowMs: number): Promise<boolean> {
  try {
    const { uid, mtimeMs } = fs.lstatSync(folder)
    if (uid !== process.getuid?.()) return false
    const { socket, pid } = filesOf(folder)
    const state = await listening(socket)
    if (state === 'yes' || (state === 'never' && nowMs - mtimeMs < youngMs)) return false
    endEnvoy(folder, pid)
    fs.rmSync(folder, { recursive: true, force: true })
    return true
  } catch {
    // Another agent was quicker.
    return false
  }
}

/** Only a process whose command line names the folder: numbers are used again. */
function endEnvoy(folder: string, file: string): void {
  if (!fs.existsSync(file)) return
  const pid = Number(fs.readFileSync(file, 'utf8'))
  const commandLine = `/proc/${pid}/cmdline`
  if (fs.existsSync(commandLine) && fs.readFileSync(commandLine, 'utf8').includes(folder)) process.kill(pid, 'SIGKILL')
}

const listening = (socket: string): Promise<'yes' | 'no' | 'never'> =>
  new Promise((resolve) => {
    const probe = net.connect({ path: socket })
    probe.once('connect', () => {
      probe.destroy()
      resolve('yes')
    })
    probe.once('error', ({ code }: NodeJS.ErrnoException) => resolve(code === 'ENOENT' ? 'never' : 'no'))
  })
