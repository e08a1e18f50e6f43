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

/** The first problem that makes a condition of this type false gives the reason; the message has all of them. */
export function judge(type: string, problems: readonly Problem[]): Condition {
  const ours = problems.filter((one) => one.condition?.type === type)
  return condition(type, ours[0]?.condition?.reason, ours.map(sentence).join('. '))
}
