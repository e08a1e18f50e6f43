/** Where a resource came from: `file:line` for files, "API" for what was applied over HTTP. */
export interface Place {
  readonly file: string
  /** Counts from 1. */
  readonly line?: number
}

/**
 * One thing wrong with what a user wrote. Always names the resource, the field and the remedy; problems are collected and shown
 * together, never one at a time.
 */
export interface Problem {
  /** `error` refuses the resource, `warning` takes it and says so. */
  readonly severity: 'error' | 'warning'
  /** "HTTPRoute default/reviews", or "document 3" while the name is not known. */
  readonly resource: string
  /** "spec.rules[0].backendRefs[1].port"; empty when the document as a whole is meant. */
  readonly field: string
  /** What was expected, what was there, what to do. */
  readonly message: string
  readonly place?: Place
  /** Which status condition it makes false, and that condition's reason. Source: Kubernetes API conventions, "Typical status properties". */
  readonly condition?: { readonly type: string; readonly reason: string }
}

/** `reviews.yaml:12: HTTPRoute default/reviews: spec.rules[0].matches: expected a list, got "x"`. */
export function formatProblem({ place, resource, field, message, severity }: Problem): string {
  const where = place ? `${place.file}${place.line === undefined ? '' : `:${place.line}`}: ` : ''
  const what = [resource, field].filter((part) => part !== '').join(': ')
  return `${where}${severity === 'warning' ? 'warning: ' : ''}${what === '' ? '' : `${what}: `}${message}`
}

export const hasErrors = (problems: readonly Problem[]): boolean => problems.some((one) => one.severity === 'error')
