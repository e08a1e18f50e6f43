/** By default these end a process without its handlers of `exit`: Ctrl-C, a runner whose patience is over, a terminal that is closed. */
const statuses = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 } as const

/** What listens to `exit` hears of them too from now on, and is not cut short by a second one: `timeout` sends two. */
export function exitBySignal(): void {
  for (const [signal, status] of Object.entries(statuses)) process.on(signal, () => process.exit(status))
}
