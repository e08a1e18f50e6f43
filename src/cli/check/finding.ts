/** One thing that was looked at. A warning takes something away, a failure makes what was asked for impossible. */
export interface Finding {
  /** A heading that several findings share. */
  readonly about: string
  /** What was looked at, in a word or two. */
  readonly what: string
  readonly state: 'ok' | 'warning' | 'failed'
  /** What was found. */
  readonly says: string
  /** What to do about it; present unless `state` is "ok". */
  readonly remedy?: string
}

/** Findings under one heading. */
export interface Findings {
  readonly ok: (what: string, says: string) => Finding
  /** `state` other than "ok", with its remedy. */
  readonly bad: (state: 'warning' | 'failed', what: string, says: string, remedy: string) => Finding
}

/** Makes findings under this heading. */
export const findingsAbout = (about: string): Findings => ({
  ok: (what, says) => ({ about, what, state: 'ok', says }),
  bad: (state, what, says, remedy) => ({ about, what, state, says, remedy }),
})

const marks = { ok: '✓', warning: '!', failed: '✗' } as const

/** For people: under their headings, each with its remedy on a line of its own, and a last line that counts. */
export function findingsText(findings: readonly Finding[]): string {
  const width = Math.max(0, ...findings.map(({ what }) => what.length))
  const blocks = Array.from(
    Map.groupBy(findings, ({ about }) => about),
    ([about, list]) => `${about}\n${list.map((one) => rowOf(one, width)).join('')}`,
  )
  const count = (state: Finding['state']): number => findings.filter((one) => one.state === state).length
  const last =
    count('failed') + count('warning') === 0
      ? 'all is well\n'
      : `${count('failed')} failed, ${count('warning')} to know about, ${count('ok')} well\n`
  return `${blocks.join('\n')}\n${last}`
}

const rowOf = ({ what, state, says, remedy }: Finding, width: number): string =>
  `  ${marks[state]} ${what.padEnd(width)}  ${says}\n` +
  (remedy === undefined ? '' : `    ${''.padEnd(width)}  → ${remedy}\n`)
