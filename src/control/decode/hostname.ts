import { mismatch, refine, string, type Decoder } from '../../base/decode.ts'
import { parseIp } from '../../base/ip-prefix.ts'

const form = /^(?=.{1,253}$)(\*\.)?[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?(\.[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?)*$/

/** A name of lower-case labels, the first of which may be "*": any labels in its place. Source: Gateway API, Hostname. */
export const hostname: Decoder<string> = refine(
  string({ form, expected: 'a hostname such as "shop.example" or "*.shop.example"' }),
  (name, path, issues) =>
    parseIp(name) === undefined
      ? name
      : mismatch(issues, path, 'a hostname such as "shop.example"', name, 'not an IP address'),
)
