/** Writes a moment, in milliseconds since the Unix epoch (fractions count). */
export type TimeWriter = (ms: number) => string

/** The parts of a moment on a calendar. */
interface Moment {
  readonly ms: number
  readonly year: number
  /** From 0. */
  readonly month: number
  readonly day: number
  readonly weekday: number
  readonly hours: number
  readonly minutes: number
  readonly seconds: number
  /** East of UTC, in minutes. */
  readonly offsetMinutes: number
}

const directive = /%(?:E([1-9]|1[0-5]|\*)S|E(z)|([1-9])f|([A-Za-z%]))|%|[^%]+/g

/**
 * Compiles a pattern of strftime: its usual letters, `%f` (nine digits of the second's fraction), `%3f` (three of them), `%E3S` (seconds
 * with three), `%s` (seconds since the epoch), `%Ez` (offset with a colon). In UTC, or in the zone of this machine. A sentence where it
 * is no pattern. Source: POSIX strftime; absl::FormatTime and Envoy's `%START_TIME(…)%` for the fractions.
 */
export function compileStrftime(pattern: string, local = false): TimeWriter | string {
  const parts: ((moment: Moment) => string)[] = []
  for (const [whole, fraction, colonZone, digits, letter] of pattern.matchAll(directive)) {
    if (fraction !== undefined) parts.push(fractionalSeconds(fraction))
    else if (colonZone !== undefined) parts.push(({ offsetMinutes }) => offset(offsetMinutes, ':'))
    else if (digits !== undefined) parts.push(({ ms }) => nanos(ms).slice(0, Number(digits)))
    else if (letter !== undefined) {
      const write = letters[letter]
      if (write === undefined) return `%${letter} is no part of a time that is known`
      parts.push(write)
    } else if (whole === '%') return 'has a single %; write %% for one'
    else parts.push(() => whole)
  }
  const momentOf = local ? localMoment : utcMoment
  return (ms) => {
    const moment = momentOf(ms)
    let text = ''
    for (const part of parts) text += part(moment)
    return text
  }
}

function utcMoment(ms: number): Moment {
  const date = new Date(ms)
  return {
    ms,
    year: date.getUTCFullYear(),
    month: date.getUTCMonth(),
    day: date.getUTCDate(),
    weekday: date.getUTCDay(),
    hours: date.getUTCHours(),
    minutes: date.getUTCMinutes(),
    seconds: date.getUTCSeconds(),
    offsetMinutes: 0,
  }
}

function localMoment(ms: number): Moment {
  const offsetMinutes = -new Date(ms).getTimezoneOffset()
  return { ...utcMoment(ms + offsetMinutes * 60_000), ms, offsetMinutes }
}

const days = ['Sunday', 'Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday']
const months = [
  'January',
  'February',
  'March',
  'April',
  'May',
  'June',
  'July',
  'August',
  'September',
  'October',
  'November',
  'December',
]

const two = (value: number): string => String(value).padStart(2, '0')
const blank = (value: number): string => String(value).padStart(2)
/** In the second, nine digits. */
const nanos = (ms: number): string => String(Math.floor(modulo(ms, 1000) * 1e6)).padStart(9, '0')
const modulo = (value: number, by: number): number => ((value % by) + by) % by
const twelve = (hours: number): number => hours % 12 || 12

const fractionalSeconds =
  (digits: string) =>
  ({ seconds, ms }: Moment): string => {
    const all = nanos(ms).padEnd(15, '0')
    const wanted = digits === '*' ? nanos(ms).replace(/0+$/, '') : all.slice(0, Number(digits))
    return wanted === '' ? two(seconds) : `${two(seconds)}.${wanted}`
  }

function offset(minutes: number, between: string): string {
  const size = Math.abs(minutes)
  return `${minutes < 0 ? '-' : '+'}${two(Math.floor(size / 60))}${between}${two(size % 60)}`
}

const dayOfYear = ({ year, month, day }: Moment): number =>
  Math.round((Date.UTC(year, month, day) - Date.UTC(year, 0, 1)) / 86_400_000) + 1

const clock = ({ hours, minutes, seconds }: Moment): string => `${two(hours)}:${two(minutes)}:${two(seconds)}`
const shortDate = ({ year, month, day }: Moment): string => `${two(month + 1)}/${two(day)}/${two(year % 100)}`

const letters: Readonly<Record<string, (moment: Moment) => string>> = {
  '%': () => '%',
  A: ({ weekday }) => days[weekday] ?? '',
  a: ({ weekday }) => days[weekday]?.slice(0, 3) ?? '',
  B: ({ month }) => months[month] ?? '',
  b: ({ month }) => months[month]?.slice(0, 3) ?? '',
  h: ({ month }) => months[month]?.slice(0, 3) ?? '',
  C: ({ year }) => two(Math.floor(year / 100)),
  c: (moment) =>
    `${days[moment.weekday]?.slice(0, 3)} ${months[moment.month]?.slice(0, 3)} ${blank(moment.day)} ${clock(moment)} ${moment.year}`,
  D: shortDate,
  d: ({ day }) => two(day),
  e: ({ day }) => blank(day),
  F: ({ year, month, day }) => `${year}-${two(month + 1)}-${two(day)}`,
  f: ({ ms }) => nanos(ms),
  H: ({ hours }) => two(hours),
  I: ({ hours }) => two(twelve(hours)),
  j: (moment) => String(dayOfYear(moment)).padStart(3, '0'),
  k: ({ hours }) => blank(hours),
  l: ({ hours }) => blank(twelve(hours)),
  M: ({ minutes }) => two(minutes),
  m: ({ month }) => two(month + 1),
  n: () => '\n',
  p: ({ hours }) => (hours < 12 ? 'AM' : 'PM'),
  R: ({ hours, minutes }) => `${two(hours)}:${two(minutes)}`,
  r: (moment) =>
    `${two(twelve(moment.hours))}:${two(moment.minutes)}:${two(moment.seconds)} ${moment.hours < 12 ? 'AM' : 'PM'}`,
  S: ({ seconds }) => two(seconds),
  s: ({ ms }) => String(Math.floor(ms / 1000)),
  T: clock,
  t: () => '\t',
  u: ({ weekday }) => String(weekday || 7),
  w: ({ weekday }) => String(weekday),
  X: clock,
  x: shortDate,
  Y: ({ year }) => String(year),
  y: ({ year }) => two(year % 100),
  Z: ({ offsetMinutes }) => (offsetMinutes === 0 ? 'UTC' : `UTC${offset(offsetMinutes, ':')}`),
  z: ({ offsetMinutes }) => offset(offsetMinutes, ''),
}
