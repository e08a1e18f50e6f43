import fs from 'node:fs'
import path from 'node:path'
import type { TestContext } from 'node:test'

/** What a test may need from the machine besides Node: a program on the path, root, or Linux itself. */
export type Need =
  | 'curl'
  | 'etcd'
  | 'etcdctl'
  | 'go'
  | 'h2load'
  | 'h2spec'
  | 'ip'
  | 'nft'
  | 'nsenter'
  | 'openssl'
  | 'prlimit'
  | 'python3'
  | 'setpriv'
  | 'systemctl'
  | 'unshare'
  | 'useradd'
  | 'root'
  | 'linux'

const remedies: Readonly<Record<Need, string>> = {
  curl: 'install curl',
  etcd: 'install etcd-server',
  etcdctl: 'install etcd-client',
  go: 'install Go (golang-go)',
  h2load: 'install nghttp2-client',
  h2spec: 'go install github.com/summerwind/h2spec/cmd/h2spec@latest, and put it on the path',
  ip: 'install iproute2',
  nft: 'install nftables',
  nsenter: 'install util-linux',
  openssl: 'install openssl',
  prlimit: 'install util-linux',
  python3: 'install python3',
  setpriv: 'install util-linux',
  systemctl: 'install systemd; it need not run',
  unshare: 'install util-linux',
  useradd: 'install passwd',
  root: 'run the tests as root (network namespaces need it)',
  linux: 'run the tests on Linux',
}

/**
 * True when all is there. Otherwise the test is skipped, aloud and with the remedy; with CI=true, where everything has been installed, it
 * fails instead: a test that silently does not run proves nothing.
 */
export function requires(t: TestContext, ...needs: readonly Need[]): boolean {
  const missing = needs.filter((need) => !isThere(need))
  if (missing.length === 0) return true
  const sentence = `needs ${missing.map((need) => `${need} (${remedies[need]})`).join(', ')}`
  if (process.env['CI'] === 'true') throw new Error(`${t.name}: ${sentence}; with CI=true this is a failure`)
  t.skip(sentence)
  return false
}

function isThere(need: Need): boolean {
  if (need === 'root') return process.getuid?.() === 0
  if (need === 'linux') return process.platform === 'linux'
  const folders = (process.env['PATH'] ?? '').split(path.delimiter)
  return [...folders, '/usr/sbin', '/sbin'].some((folder) => fs.existsSync(path.join(folder, need)))
}
