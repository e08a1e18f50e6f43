import type { Problem } from '../../base/problem.ts'

/** One thing that is so or not, and why. Source: Kubernetes API conventions, "Typical status properties"; without times. */
export interface Condition {
  readonly type: string
  readonly status: 'True' | 'False'
  /** One word in CamelCase; the type's own name when all is well. */
  readonly reason: string
  /** For people; empty when all is well. */
  readonly message: string
}

/** True exactly when `reason` is the type's own name, as in "Accepted: Accepted". */
export const condition = (type: string, reason: string = type, message: string = ''): Condition => ({
  type,
  status: reason === type ? 'True' : 'False',
  reason,
  message,
})

/** `spec.parentRefs[0].name: there is no Service default/web`. */
export const sentence = ({ field, message }: Problem): string => (field === '' ? message : `${field}: ${message}`)
