import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'

/** Flags by which every command finds its control plane. */
export interface PlaceOptions {
  readonly dataDir?: string
  readonly server?: string
}

/** Where a control plane is to be found. */
export type Place =
  | { readonly kind: 'socket'; readonly dataDir: string; readonly socketPath: string; readonly isDefault: boolean }
  | { readonly kind: 'url'; readonly url: URL; readonly token: string | undefined }
  | { readonly kind: 'wrong'; readonly sentence: string }

type Env = Readonly<Record<string, string | undefined>>

/** `--data-dir`, WEFT_DATA_DIR, else the user's state directory. Source of the last: XDG Base Directory, 0.8. */
export function dataDirOf({ dataDir }: PlaceOptions, env: Env): string {
  const named = dataDir ?? nonEmpty(env['WEFT_DATA_DIR'])
  if (named !== undefined) return path.resolve(named)
  const state = nonEmpty(env['XDG_STATE_HOME'])
  const base =
    state !== undefined && path.isAbsolute(state) ? state : path.join(env['HOME'] ?? os.homedir(), '.local/state')
  return path.join(base, 'weft')
}

/** A flag outweighs the environment; a server outweighs a directory, which then only lends its token. */
export function findPlace(options: PlaceOptions, env: Env): Place {
  const dataDir = dataDirOf(options, env)
  const server = options.server ?? (options.dataDir === undefined ? nonEmpty(env['WEFT_SERVER']) : undefined)
  if (server === undefined) {
    const isDefault = options.dataDir === undefined && nonEmpty(env['WEFT_DATA_DIR']) === undefined
    return { kind: 'socket', dataDir, socketPath: path.join(dataDir, 'api.sock'), isDefault }
  }
  const url = parseServer(server)
  if (url === undefined)
    return {
      kind: 'wrong',
      sentence: `--server wants a URL such as http://127.0.0.1:15080, got ${JSON.stringify(server)}`,
    }
  return { kind: 'url', url, token: nonEmpty(env['WEFT_API_TOKEN']) ?? readToken(dataDir) }
}

/** "127.0.0.1:15080" means http. */
function parseServer(server: string): URL | undefined {
  const text = server.includes('://') ? server : `http://${server}`
  const url = URL.canParse(text) ? new URL(text) : undefined
  return url?.protocol === 'http:' || url?.protocol === 'https:' ? url : undefined
}

function readToken(dataDir: string): string | undefined {
  try {
    return nonEmpty(fs.readFileSync(path.join(dataDir, 'api.token'), 'utf8').trim())
  } catch {
    return undefined
  }
}

const nonEmpty = (text: string | undefined): string | undefined => (text === '' ? undefined : text)
