/** Writes whole lines with the name of who said them before each. */
export interface Prefixed {
  write(chunk: Buffer): void
  /** What came last without an end of its line. */
  flush(): void
}

/** A program that writes for ever without an end of line must not fill our memory: its line is cut here. */
const longestLine = 16_384
const colours = [36, 33, 32, 35, 34, 96, 93, 92, 95, 94]

/** `index` chooses the colour; without one the name is plain. */
export function prefixed(
  name: string,
  { width, index, write }: { readonly width: number; readonly index?: number; readonly write: (text: string) => void },
): Prefixed {
  const padded = `${name.padEnd(width)} | `
  const prefix = index === undefined ? padded : `\u001b[${colours[index % colours.length]}m${padded}\u001b[0m`
  const decoder = new TextDecoder()
  let rest = ''
  const lines = (text: string): void => {
    const parts = (rest + text).split('\n')
    rest = parts.pop() ?? ''
    if (rest.length > longestLine) {
      parts.push(rest)
      rest = ''
    }
    if (parts.length > 0) write(parts.map((line) => `${prefix}${line}\n`).join(''))
  }
  return {
    write: (chunk) => lines(decoder.decode(chunk, { stream: true })),
    flush() {
      lines(decoder.decode())
      if (rest !== '') lines('\n')
    },
  }
}
