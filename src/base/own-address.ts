import os from 'node:os'

/** The IPv4 address by which this machine would be named to others: the first that is not loopback; 127.0.0.1 where there is none. */
export function ownAddress(): string {
  const all = Object.values(os.networkInterfaces()).flatMap((addresses) => addresses ?? [])
  return all.find(({ family, internal }) => family === 'IPv4' && !internal)?.address ?? '127.0.0.1'
}
