import { capturePorts } from './messages.ts'

/**
 * Everything that the program sends out goes to our sockets: DNS wherever it is sent, TCP to anywhere but its own loopback. Other UDP
 * is refused as it is sent (EPERM, so that QUIC gives way to TCP at once): every address is this namespace's own, and a datagram to
 * anywhere would come to whatever the program itself has open on that port. Whatever else ends here, since there is no way out of the
 * namespace but through the sidecar. For `nft -f`.
 */
export const captureRules: string = `table inet weft {
  chain output {
    type nat hook output priority -100; policy accept;
    udp dport 53 redirect to :${capturePorts.dns}
    tcp dport 53 redirect to :${capturePorts.dns}
    ip daddr 127.0.0.0/8 return
    ip6 daddr ::1 return
    meta l4proto tcp redirect to :${capturePorts.outbound}
  }
  chain datagrams {
    type filter hook output priority 0; policy accept;
    udp sport ${capturePorts.dns} accept
    ip daddr 127.0.0.0/8 accept
    ip6 daddr ::1 accept
    meta l4proto udp drop
  }
}
`

/**
 * Makes loopback the way to everywhere, so that a connection gets as far as the rules. Each is a command line; the last ones are for
 * IPv6, which a machine may lack.
 */
export const routeCommands: readonly { readonly line: readonly [string, ...string[]]; readonly optional: boolean }[] = [
  { line: ['ip', 'link', 'set', 'lo', 'up'], optional: false },
  // For resolvers that look up IPv4 only where a network has it, and take 127.0.0.1 for none (glibc with AI_ADDRCONFIG).
  { line: ['ip', 'address', 'add', '127.0.0.2/8', 'dev', 'lo'], optional: false },
  { line: ['ip', 'route', 'add', 'local', '0.0.0.0/0', 'dev', 'lo'], optional: false },
  { line: ['ip', '-6', 'route', 'add', 'local', '::/0', 'dev', 'lo'], optional: true },
]
