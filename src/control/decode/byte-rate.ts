import { mismatch, type Decoder } from '../../base/decode.ts'

const kibPer: Readonly<Record<string, number>> = { KiB: 1, MiB: 1024, GiB: 1024 ** 2 }

/** "64KiB/s", "2MiB/s" or "1GiB/s" to KiB a second, at least 1: the finest that xDS can say. */
export const byteRate: Decoder<number> = (value, path, issues) => {
  const [, digits = '', unit = ''] = (typeof value === 'string' && /^([1-9]\d{0,8})([KMG]iB)\/s$/.exec(value)) || []
  const kib = kibPer[unit]
  return kib === undefined
    ? mismatch(issues, path, 'a rate in whole KiB, MiB or GiB a second such as "64KiB/s" or "2MiB/s"', value)
    : Number(digits) * kib
}
