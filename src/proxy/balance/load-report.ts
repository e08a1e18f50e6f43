import { WireReader } from '../../base/varint.ts'
import { headerValue, type Headers } from '../http/headers.ts'

/**
 * What an endpoint says of its load, by the names of the text form: "cpu_utilization", "rps_fractional", "named_metrics.queue". All are
 * finite. Source: xds.data.orca.v3.OrcaLoadReport.
 */
export type LoadReport = ReadonlyMap<string, number>

/** The report in a head or in trailers, in any of its forms; undefined: there is none, or it makes no sense. Source: gRFC A51; Envoy, `orca_parser`. */
export function readLoadReport(headers: Headers): LoadReport | undefined {
  const binary = headerValue(headers, 'endpoint-load-metrics-bin')
  if (binary !== undefined) return readBinary(binary)
  const value = headerValue(headers, 'endpoint-load-metrics')
  if (value === undefined) return undefined
  const rest = value.slice(5)
  if (value.startsWith('TEXT ')) return readText(rest)
  if (value.startsWith('JSON ')) return readJson(rest)
  return value.startsWith('BIN ') ? readBinary(value.slice(4)) : undefined
}

const numbers: ReadonlySet<string> = new Set([
  'cpu_utilization',
  'mem_utilization',
  'application_utilization',
  'eps',
  'rps_fractional',
])
const maps = ['named_metrics', 'utilization', 'request_cost'] as const

const isName = (name: string): boolean =>
  numbers.has(name) || maps.some((map) => name.startsWith(`${map}.`) && name.length > map.length + 1)

/** "cpu_utilization=0.3, named_metrics.queue=4"; a colon will do as well. */
function readText(text: string): LoadReport | undefined {
  const report = new Map<string, number>()
  for (const part of text.split(',')) {
    if (part.trim() === '') continue
    const [, name = '', number = ''] = /^\s*([^=:\s]+)\s*[=:]\s*(\S+)\s*$/.exec(part) ?? []
    if (!isName(name) || report.has(name) || !isFinite(number)) return undefined
    report.set(name, Number(number))
  }
  return report
}

const isFinite = (text: string): boolean => text !== '' && Number.isFinite(Number(text))

/** Names in either manner of JSON for messages. */
function readJson(text: string): LoadReport | undefined {
  let json: unknown
  try {
    json = JSON.parse(text)
  } catch {
    return undefined
  }
  if (typeof json !== 'object' || json === null) return undefined
  const report = new Map<string, number>()
  for (const [key, value] of Object.entries(json)) {
    const name = key.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)
    if (typeof value === 'number' && numbers.has(name)) report.set(name, value)
    else if (maps.some((map) => map === name) && typeof value === 'object' && value !== null) {
      for (const [inner, number] of Object.entries(value))
        if (typeof number === 'number') report.set(`${name}.${inner}`, number)
    }
  }
  return allFinite(report)
}

/** Field number → name; those that are maps. */
const numberOf: Readonly<Record<number, string>> = {
  1: 'cpu_utilization',
  2: 'mem_utilization',
  6: 'rps_fractional',
  7: 'eps',
  9: 'application_utilization',
}
const mapOf: Readonly<Record<number, (typeof maps)[number]>> = {
  4: 'request_cost',
  5: 'utilization',
  8: 'named_metrics',
}

/** By hand: the sidecar needs no schema for nine fields. */
function readBinary(base64: string): LoadReport | undefined {
  const report = new Map<string, number>()
  const whole = eachField(Buffer.from(base64, 'base64'), (field, value) => {
    const name = numberOf[field]
    const map = mapOf[field]
    if (name !== undefined && typeof value === 'number') report.set(name, value)
    if (map === undefined || !(value instanceof Buffer)) return true
    let key = ''
    let number = 0
    const entry = eachField(value, (part, inner) => {
      if (part === 1 && inner instanceof Buffer) key = inner.toString()
      if (part === 2 && typeof inner === 'number') number = inner
      return true
    })
    report.set(`${map}.${key}`, number)
    return entry
  })
  return whole ? allFinite(report) : undefined
}

/** 1e999 is a number of JSON, too. */
const allFinite = (report: LoadReport): LoadReport | undefined =>
  Array.from(report.values()).every(Number.isFinite) ? report : undefined

/** Doubles and byte strings of a message, one after the other; false: it ends in the middle of one, or has what no such message has. */
function eachField(bytes: Buffer, found: (field: number, value: number | Buffer | undefined) => boolean): boolean {
  const reader = new WireReader(bytes, 10)
  while (!reader.done) {
    const tag = reader.varint()
    const field = Math.floor(tag / 8)
    switch (tag % 8) {
      case 0:
        if (Number.isNaN(reader.varint()) || !found(field, undefined)) return false
        break
      case 1:
        if (reader.at + 8 > bytes.length || !found(field, bytes.readDoubleLE(reader.at))) return false
        reader.at += 8
        break
      case 2: {
        const length = reader.varint()
        if (!(reader.at + length <= bytes.length)) return false
        if (!found(field, bytes.subarray(reader.at, (reader.at += length)))) return false
        break
      }
      default:
        return false
    }
  }
  return true
}
