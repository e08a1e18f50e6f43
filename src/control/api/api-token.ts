import { randomBytes } from 'node:crypto'
import fs from 'node:fs'
import path from 'node:path'

/** The name of the file in the data directory that holds the bearer token for the API over TCP. */
export const apiTokenFile = 'api.token'

const form = /^[A-Za-z0-9_-]{20,200}$/

/** The token of this data directory, made on first use, 0600. A file that holds something else is replaced. Throws what the file system says. */
export function apiToken(dataDir: string): string {
  const file = path.join(dataDir, apiTokenFile)
  try {
    const text = fs.readFileSync(file, 'utf8').trim()
    if (form.test(text)) return text
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
  }
  const token = randomBytes(32).toString('base64url')
  const fresh = `${file}.${process.pid}`
  fs.writeFileSync(fresh, `${token}\n`, { mode: 0o600 })
  fs.renameSync(fresh, file)
  return token
}
