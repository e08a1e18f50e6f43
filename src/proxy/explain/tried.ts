import type { NumberRange } from '../../base/string-match.ts'
import type { HeaderMatch, Origin, PathMatch, Route, RouteTable, StringMatch } from '../config.ts'
import type { Call } from '../http/service.ts'
import { compileDomains, withoutPort } from '../route/domain-index.ts'
import { compileCallTests } from '../route/header-match.ts'
import { pathOf } from '../route/path.ts'
import { compilePathIndex } from '../route/path-index.ts'

/** A route or rule that was asked, in order. `why` it did not match; absent: it did. */
export interface Tried {
  readonly name: string
  readonly origin?: Origin | undefined
  readonly why?: string
}

/** Every route up to the one that was taken, each with the first thing that did not match. */
export function triedRoutes(table: RouteTable, taken: Route | undefined, call: Call): readonly Tried[] {
  const index = compileDomains(table.virtualHosts)(
    table.ignorePortInHost ? withoutPort(call.authority) : call.authority,
  )
  const routes = (index === undefined ? undefined : table.virtualHosts[index])?.routes ?? []
  const asked = taken === undefined ? routes : routes.slice(0, routes.indexOf(taken) + 1)
  let before = 0
  return asked.slice(-shownRoutes).map((route) => {
    const { share } = route.match
    const reason = route === taken ? undefined : whyNot(route, call)
    const takes = reason === earlier && share !== undefined
    const why = takes ? `takes ${percentText(share - before)} of such calls` : reason
    if (takes) before = share
    return { name: route.name, origin: route.origin, ...(why === undefined ? {} : { why }) }
  })
}
const percentText = (share: number): string => `${Math.round(share * 1e4) / 100} %`

/** What routes leave that fit a call and take a share of such calls. */
export function shareLeft(table: RouteTable, taken: Route, call: Call): number {
  const routes = table.virtualHosts.find((host) => host.routes.includes(taken))?.routes ?? []
  const before = routes
    .slice(0, routes.indexOf(taken))
    .flatMap((route) => (whyNot(route, call) === earlier ? (route.match.share ?? []) : []))
  return (taken.match.share ?? 1) - Math.max(0, ...before)
}

/** Of thousands of routes the last ones before the one that was taken tell enough. */
const shownRoutes = 50

const earlier = 'an earlier route was taken'

function whyNot({ match }: Route, call: Call): string {
  if (compilePathIndex([match.path])(pathOf(call.path), 1, () => true) === 1)
    return `path is not ${describePath(match.path)}`
  const failed = (one: HeaderMatch, isQuery: boolean): boolean =>
    compileCallTests(isQuery ? [] : [one], isQuery ? [one] : [])?.(call) === false
  const header = match.headers.find((one) => failed(one, false))
  if (header !== undefined)
    return `${header.name === ':method' ? 'method' : `header ${header.name}`} is not ${describeValue(header)}`
  const parameter = match.queryParameters.find((one) => failed(one, true))
  if (parameter !== undefined) return `query parameter ${parameter.name} is not ${describeValue(parameter)}`
  return earlier
}

const pathWords = { exact: 'exactly', prefix: 'beginning with', segments: 'below', regex: 'matching' } as const
const describePath = ({ kind, value }: PathMatch): string => `${pathWords[kind]} ${value}`
const stringWords = {
  exact: '',
  prefix: 'beginning with ',
  suffix: 'ending with ',
  contains: 'containing ',
  regex: 'matching ',
} as const
const describeString = (match: StringMatch | NumberRange): string =>
  match.kind === 'range'
    ? `from ${match.start} to below ${match.end}`
    : `${stringWords[match.kind]}${JSON.stringify(match.value)}`
const describeValue = ({ match, invert }: HeaderMatch): string =>
  `${invert ? 'other than ' : ''}${match === undefined ? 'present' : describeString(match)}`
