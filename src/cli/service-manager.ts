import { execFile } from 'node:child_process'

/**
 * Tells the service manager that started this process and waits for it (a systemd unit of Type=notify) that it is ready. By
 * systemd-notify, since Node has no datagrams of Unix sockets: the unit wants NotifyAccess=all. Nothing to do without NOTIFY_SOCKET in
 * `env`; when it cannot be told, `onProblem` hears why. Source: sd_notify(3).
 */
export function tellReady(
  env: Readonly<Record<string, string | undefined>>,
  onProblem: (problem: string) => void,
): Promise<void> {
  if ((env['NOTIFY_SOCKET'] ?? '') === '') return Promise.resolve()
  return new Promise((resolve) => {
    execFile('systemd-notify', ['--ready'], { env, timeout: 10_000 }, (error) => {
      if (error !== null) onProblem(`the service manager cannot be told that this is ready: ${error.message.trim()}`)
      resolve()
    })
  })
}
