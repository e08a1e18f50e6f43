/** What a policy does with a call that it matches. */
export type Action = 'allow' | 'deny' | 'audit'

/** A question to a call whose answer may be known while rendering already. */
export type Answer<T> = boolean | T

/**
 * Asks for one value of a list. Undefined: cannot be answered here, e.g. a path on a raw byte stream. The unanswerable never lets a
 * call in (ALLOW: no match) and never lets it by (DENY: match). Source: Istio, AuthorizationPolicy, on TCP ports.
 */
export type Question<T> = (value: string) => Answer<T> | undefined

/** And, or, not over answers: what is known disappears, only what must be asked of the call is left. */
export interface Logic<T> {
  and(answers: readonly Answer<T>[]): Answer<T>
  /** Answers of a list and its not-list, to be joined by `and`; an empty list asks nothing. */
  lists(
    action: Action,
  ): (values: readonly string[], notValues: readonly string[], ask: Question<T>) => readonly Answer<T>[]
}

/** The logic of one kind of matcher. */
export function logic<T extends object>(build: { and(all: T[]): T; or(any: T[]): T; not(one: T): T }): Logic<T> {
  const open = (answers: readonly Answer<T>[]): T[] => answers.filter((one): one is T => typeof one === 'object')
  const and = (answers: readonly Answer<T>[]): Answer<T> => {
    if (answers.includes(false)) return false
    const [first, ...rest] = open(answers)
    return first === undefined || (rest.length === 0 ? first : build.and([first, ...rest]))
  }
  const or = (answers: readonly Answer<T>[]): Answer<T> => {
    if (answers.includes(true)) return true
    const [first, ...rest] = open(answers)
    return first === undefined ? false : rest.length === 0 ? first : build.or([first, ...rest])
  }
  const not = (answer: Answer<T>): Answer<T> => (typeof answer === 'boolean' ? !answer : build.not(answer))

  return {
    and,
    lists: (action) => (values, notValues, ask) => {
      const unanswerable = action === 'deny'
      const one = (value: string): Answer<T> => ask(value) ?? unanswerable
      const none = (value: string): Answer<T> => {
        const answer = ask(value)
        return answer === undefined ? unanswerable : not(answer)
      }
      return [...(values.length > 0 ? [or(values.map(one))] : []), ...notValues.map(none)]
    },
  }
}
