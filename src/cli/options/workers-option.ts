import os from 'node:os'

const most = 32

/** `--workers`: a number from 1 to 32, or "auto", as many as the process may use processors; absent: 1. */
export function readWorkers(text: string | undefined): number | { readonly wrong: string } {
  if (text === undefined) return 1
  if (text === 'auto') return Math.min(most, os.availableParallelism())
  const count = Number(text)
  if (/^\d{1,2}$/.test(text) && count >= 1 && count <= most) return count
  return { wrong: `--workers is a number from 1 to ${most}, or auto, not ${JSON.stringify(text.slice(0, 80))}` }
}
