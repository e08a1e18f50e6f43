import {
  integer,
  invalid,
  list,
  mismatch,
  object,
  oneOf,
  optional,
  refine,
  string,
  withDefault,
  type Decoder,
} from '../../base/decode.ts'
import { duration, positiveDuration } from './duration.ts'
import { headerName } from './header-modifier.ts'

/** How endpoints are chosen. One unit: of two policies the narrower one's holds as a whole. */
export interface LoadBalancingSpec {
  readonly algorithm: 'PeakEWMA' | 'LeastRequest' | 'RoundRobin' | 'Random' | 'RingHash' | 'Maglev'
  /** What a call is known by, for RingHash and Maglev: all that are found together; calls without any go anywhere. */
  readonly hashOn?: readonly HashOnSpec[]
  /** LeastRequest: so many are compared. */
  readonly choices?: number
  /** RingHash: points on the ring. */
  readonly minimumRingSize?: number
  readonly maximumRingSize?: number
  /** Maglev: a prime. */
  readonly tableSize?: number
}

/** Exactly one of these. */
export interface HashOnSpec {
  readonly cookie?: {
    readonly name: string
    /** Clients without it get one that lives so long, ms; 0: as long as their session. Absent: they get none. */
    readonly ttl?: number
    readonly path?: string
  }
  readonly header?: string
  readonly queryParameter?: string
  /** The caller's address. */
  readonly source?: 'IP'
}

/** New endpoints get more and more calls. One unit. */
export interface SlowStartSpec {
  /** ms. */
  readonly window: number
  /** 1: evenly; above: quickly at first. */
  readonly aggression: number
  readonly minWeightPercent: number
}

const cookie = object<NonNullable<HashOnSpec['cookie']>>({
  name: string({ form: /^[!#$%&'*+\-.^_`|~0-9A-Za-z]{1,256}$/, expected: 'the name of a cookie' }),
  ttl: optional(duration),
  path: optional(string({ form: /^\/[\x20-\x3a\x3c-\x7e]{0,1023}$/, expected: 'a path that begins with "/"' })),
})

const hashOn: Decoder<HashOnSpec> = refine(
  object<HashOnSpec>({
    cookie: optional(cookie),
    header: optional(refine(headerName, (name) => name.toLowerCase())),
    queryParameter: optional(string({ form: /^[^&=#\s]{1,256}$/, expected: 'the name of a query parameter' })),
    source: optional(oneOf('IP')),
  }),
  (read, path, issues) => {
    if (Object.keys(read).length === 1) return read
    issues.push({ path, message: 'give exactly one of cookie, header, queryParameter, source' })
    return invalid
  },
)

const written = object<LoadBalancingSpec>({
  algorithm: withDefault(oneOf('PeakEWMA', 'LeastRequest', 'RoundRobin', 'Random', 'RingHash', 'Maglev'), 'PeakEWMA'),
  hashOn: optional(list(hashOn, { min: 1, max: 8 })),
  choices: optional(integer({ min: 2, max: 32 })),
  minimumRingSize: optional(integer({ min: 1, max: 8_388_608 })),
  maximumRingSize: optional(integer({ min: 1, max: 8_388_608 })),
  tableSize: optional(integer({ min: 2, max: 5_000_011 })),
})

const parametersOf: Readonly<Record<LoadBalancingSpec['algorithm'], readonly (keyof LoadBalancingSpec)[]>> = {
  PeakEWMA: [],
  LeastRequest: ['choices'],
  RoundRobin: [],
  Random: [],
  RingHash: ['hashOn', 'minimumRingSize', 'maximumRingSize'],
  Maglev: ['hashOn', 'tableSize'],
}

export const loadBalancingSpec: Decoder<LoadBalancingSpec> = refine(written, (read, path, issues) => {
  const before = issues.length
  const { algorithm, minimumRingSize = 1024, maximumRingSize = 8_388_608, tableSize } = read
  const fields = Object.keys(read) as (keyof LoadBalancingSpec)[]
  for (const field of fields)
    if (field !== 'algorithm' && !parametersOf[algorithm].includes(field))
      issues.push({ path: `${path}.${field}`, message: `means nothing for ${algorithm}; remove it` })
  if (parametersOf[algorithm].includes('hashOn') && read.hashOn === undefined)
    issues.push({ path: `${path}.hashOn`, message: `${algorithm} needs to know by what calls are told apart` })
  if (minimumRingSize > maximumRingSize)
    issues.push({ path: `${path}.minimumRingSize`, message: `must not be over maximumRingSize (${maximumRingSize})` })
  if (tableSize !== undefined && !isPrime(tableSize))
    mismatch(issues, `${path}.tableSize`, 'a prime number, such as 65537', tableSize)
  return issues.length > before ? invalid : read
})

function isPrime(number: number): boolean {
  for (let divisor = 2; divisor * divisor <= number; divisor++) if (number % divisor === 0) return false
  return true
}

const aggression: Decoder<number> = (value, path, issues) =>
  typeof value === 'number' && value > 0 && value <= 100
    ? value
    : mismatch(issues, path, 'a number above 0, at most 100', value)

export const slowStartSpec: Decoder<SlowStartSpec> = object<SlowStartSpec>({
  window: positiveDuration,
  aggression: withDefault(aggression, 1),
  minWeightPercent: withDefault(integer({ min: 1, max: 100 }), 10),
})
