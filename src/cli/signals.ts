/** The first SIGINT or SIGTERM; a second one ends the process at once, as usual. */
export function signalled(): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    const heard = (signal: NodeJS.Signals): void => {
      process.off('SIGINT', heard)
      process.off('SIGTERM', heard)
      resolve(signal)
    }
    process.on('SIGINT', heard)
    process.on('SIGTERM', heard)
  })
}
