import { answeredMark, capturePorts, caughtMark } from './messages.ts'

/**
 * Everything that the program sends out goes to our sockets: DNS wherever it is sent, TCP to anywhere but its own loopback. Other UDP is
 * refused as it is sent (EPERM, so that QUIC gives way to TCP at once), unless `datagramRules` caught it before: every address is this
 * namespace's own, and a datagram to anywhere would come to whatever the program itself has open on that port. Whatever else ends here,
 * since there is no way out of the namespace but through the sidecar. For `nft -f`.
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
    meta mark { ${caughtMark}, ${answeredMark} } accept
    meta l4proto udp drop
  }
}
`

const families = {
  // Virtual IPs (240.0.0.0/5), for which no service has a port of datagrams, multicast and broadcast.
  ip: { loopback: '127.0.0.0/8', ownWay: '127.0.0.1', never: 'ip daddr 224.0.0.0/3' },
  ip6: { loopback: '::1', ownWay: '::1', never: 'ip6 daddr ff00::/8' },
} as const

/**
 * Datagrams that are not DNS, to anywhere but the program's own loopback: they come by the way of loopback to our socket, which learns
 * where they were for (tproxy). Of those that are refused it gets a copy, to tell of them, but not more than somebody could read. To be
 * loaded with `captureRules`; everything is refused at first.
 */
export const datagramRules = (withIpv6: boolean): string =>
  (withIpv6 ? (['ip', 'ip6'] as const) : (['ip'] as const))
    .map((family) => {
      const { loopback, ownWay, never } = families[family]
      return `table ${family} weft {
  chain refused {
    limit rate 100/second meta mark set ${caughtMark} dup to ${ownWay} device "lo"
    drop
  }
  chain outside {
    goto refused
  }
  chain datagrams {
    type filter hook output priority -10; policy accept;
    meta l4proto != udp accept
    udp sport ${capturePorts.dns} accept
    ${family} daddr ${loopback} accept
    meta mark { ${caughtMark}, ${answeredMark} } accept
    ${never} goto refused
    goto outside
  }
  chain arriving {
    type filter hook prerouting priority -150; policy accept;
    meta mark ${caughtMark} meta l4proto udp tproxy to :${capturePorts.datagrams}
  }
}
`
    })
    .join('')

/** Changes what becomes of datagrams to outside, once `datagramRules` are there. */
export const datagramVerdict = (allow: boolean, withIpv6: boolean): string =>
  (withIpv6 ? ['ip', 'ip6'] : ['ip'])
    .map(
      (family) =>
        `flush chain ${family} weft outside\nadd rule ${family} weft outside ${allow ? `meta mark set ${caughtMark} accept` : 'goto refused'}\n`,
    )
    .join('')

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
