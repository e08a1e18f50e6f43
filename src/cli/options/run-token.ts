import fs from 'node:fs'
import type { Terminal } from '../terminal.ts'
import type { RunFlags } from './run-options.ts'

/** Of `weft run -f`. */
export interface FileFlags extends Pick<RunFlags, 'dataDir' | 'tokenFile' | 'wait' | 'verbose'> {
  readonly filename?: string
}

/** A directory named by a flag outweighs a token in the environment. */
export function readToken(
  { tokenFile, dataDir }: FileFlags,
  { env }: Terminal,
): { readonly tokenText?: string } | { readonly unreadable: string } {
  if (tokenFile === undefined) {
    const tokenText = dataDir === undefined ? env['WEFT_TOKEN']?.trim() : undefined
    return tokenText === undefined || tokenText === '' ? {} : { tokenText }
  }
  try {
    return { tokenText: fs.readFileSync(tokenFile, 'utf8').trim() }
  } catch (error) {
    return {
      unreadable: `cannot read --token-file ${tokenFile}: ${error instanceof Error ? error.message : String(error)}`,
    }
  }
}
