/** What was counted of one endpoint during one interval. */
export interface Window {
  answers: number
  /** Of the answers. */
  failures: number
  /** Where failures to get an answer are told apart: tries, and those without an answer. */
  attempts: number
  unreached: number
}

/** Nothing counted yet. */
export const emptyWindow = (): Window => ({ answers: 0, failures: 0, attempts: 0, unreached: 0 })
