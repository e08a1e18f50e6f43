import { isIP } from 'node:net'

/**
 * The test "is this IP address within `prefix`/`bits`"; undefined when prefix or length are none. An IPv4 address inside IPv6
 * (`::ffff:10.0.0.1`) counts as the IPv4 address that it is; a zone (`fe80::1%eth0`) is not looked at. What is no address is in
 * no prefix.
 */
export function prefixTest(prefix: string, bits: number): ((host: string) => boolean) | undefined {
  const network = parseIp(prefix)
  if (network === undefined || !Number.isInteger(bits) || bits < 0 || bits > network.length * 8) return undefined
  return (host) => {
    const address = parseIp(host)
    return address !== undefined && address.length === network.length && samePrefix(address, network, bits)
  }
}

function samePrefix(a: Uint8Array, b: Uint8Array, bits: number): boolean {
  const whole = bits >> 3
  for (let at = 0; at < whole; at++) if (a[at] !== b[at]) return false
  const mask = 0xff00 >> (bits & 7)
  return ((a[whole] ?? 0) & mask & 0xff) === ((b[whole] ?? 0) & mask & 0xff)
}

/** The 4 or 16 bytes of an IP address as people write it; undefined when it is none. */
export function parseIp(text: string): Uint8Array | undefined {
  const zone = text.indexOf('%')
  const address = zone < 0 ? text : text.slice(0, zone)
  const version = isIP(address)
  if (version === 0 || (version === 4 && zone >= 0)) return undefined
  if (version === 4) return Uint8Array.from(address.split('.'), Number)
  const bytes = parseIpv6(address)
  const mapped = bytes.subarray(0, 12).every((byte, at) => byte === (at < 10 ? 0 : 0xff))
  return mapped ? bytes.subarray(12) : bytes
}

/** The opposite, for 4 or 16 bytes: the shortest form, as Node writes addresses. */
export function formatIp(bytes: Uint8Array): string {
  if (bytes.length === 4) return bytes.join('.')
  const groups = Array.from({ length: 8 }, (_, at) => pair(String(bytes[at * 2]), String(bytes[at * 2 + 1]))).join(':')
  return new URL(`http://[${groups}]`).hostname.slice(1, -1)
}

/** `address` is known to be one. Source: RFC 4291, section 2.2. */
function parseIpv6(address: string): Uint8Array {
  const dotted = /^(.*:)(\d+)\.(\d+)\.(\d+)\.(\d+)$/.exec(address)
  const text = dotted ? dotted[1] + pair(dotted[2], dotted[3]) + ':' + pair(dotted[4], dotted[5]) : address
  const [head = '', tail] = text.split('::')
  const front = head === '' ? [] : head.split(':')
  const back = tail === undefined || tail === '' ? [] : tail.split(':')
  const groups = [...front, ...Array<string>(8 - front.length - back.length).fill('0'), ...back]
  return Uint8Array.from(groups.flatMap((group) => splitGroup(Number.parseInt(group, 16))))
}

const splitGroup = (group: number): number[] => [group >> 8, group & 0xff]
const pair = (high = '', low = ''): string => (Number(high) * 256 + Number(low)).toString(16)
