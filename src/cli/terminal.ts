/** What a command sees of the world: so that a test can be one. */
export interface Terminal {
  /** Standard output: what was asked for. */
  readonly out: (text: string) => void
  /** Standard error: what went wrong, and hints. */
  readonly err: (text: string) => void
  /** Somebody reads both in a terminal, and has nothing against colours. */
  readonly colour: boolean
  readonly env: Readonly<Record<string, string | undefined>>
  /** All of standard input. */
  readonly stdin: () => Promise<string>
  /** One line of answer to a question; undefined: nobody is at the terminal. */
  readonly ask: (question: string) => Promise<string | undefined>
}

/** Done, failed, wrong usage: the only exit statuses, but for `weft run`, which ends with its command's. */
export const status = { done: 0, failed: 1, usage: 2 } as const

/** Says on standard error why a command failed, and gives its exit status. */
export function fail({ err }: Terminal, sentence: string): number {
  err(`weft: ${sentence}\n`)
  return status.failed
}

/** The same for what was typed wrongly. */
export function misused({ err }: Terminal, command: string, sentence: string): number {
  err(`weft ${command}: ${sentence}\nSee: weft ${command} --help\n`)
  return status.usage
}
