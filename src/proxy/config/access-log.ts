/** Where the lines of calls and connections go. */
export interface AccessLog {
  /** "/dev/stdout" and "/dev/stderr" go through the agent. One JSON object a line. */
  readonly path: string
}
