import { object, string, type Decoder } from '../../base/decode.ts'

/** weft.dev VirtualIP: the address that the Service of the same namespace and name has in the mesh's DNS. Made by itself, once. */
export interface VirtualIpSpec {
  /** From 240.0.0.0 to 247.255.255.255: addresses that no network routes. */
  readonly address: string
}

const byte = '(?:25[0-5]|2[0-4]\\d|1\\d\\d|[1-9]?\\d)'
const form = new RegExp(`^24[0-7]\\.${byte}\\.${byte}\\.${byte}$`)

export const virtualIpSpec: Decoder<VirtualIpSpec> = object<VirtualIpSpec>({
  address: string({ form, expected: 'an IPv4 address from 240.0.0.0 to 247.255.255.255' }),
})
