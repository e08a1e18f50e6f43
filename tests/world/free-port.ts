import fs from 'node:fs'
import path from 'node:path'
import { freePorts } from '../../src/base/free-ports.ts'
import { systemRandom } from '../../src/base/random.ts'

/** A file for each port that a process of the tests has been given, with its id: several run at once, and some leave a port alone for a while. */
const folder = path.join(import.meta.dirname, '../../node_modules/.cache/test-ports')
fs.mkdirSync(folder, { recursive: true })

const claimed = new Set<string>()
process.on('exit', () => {
  for (const file of claimed) fs.rmSync(file, { force: true })
})

/** A port of loopback that nobody listens on now, and that no other test has been given while its process lives. */
export async function freePort(): Promise<number> {
  for (;;) {
    const [port = 0] = await freePorts(1, systemRandom)
    if (claim(path.join(folder, String(port)))) return port
  }
}

function claim(file: string): boolean {
  try {
    fs.writeFileSync(file, String(process.pid), { flag: 'wx' })
  } catch {
    removeAbandoned(file)
    return false
  }
  claimed.add(file)
  return true
}

/** Whoever was killed has left its files. Of several who find one only the first one moves it. */
function removeAbandoned(file: string): void {
  const moved = `${file}.${process.pid}`
  try {
    const owner = Number(fs.readFileSync(file, 'utf8'))
    // Empty: it is just being written.
    if (owner === 0 || isRunning(owner)) return
    fs.renameSync(file, moved)
    fs.rmSync(moved)
  } catch {
    // Somebody else was faster.
  }
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}
