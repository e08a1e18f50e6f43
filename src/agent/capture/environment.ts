/** Names that must not reach the program: a join token is the agent's. */
const withheld = ['WEFT_TOKEN']

/** What a program is told of itself, however its calls are caught; the names are those of WEFT_* variables. */
export interface Told {
  readonly service: string
  readonly namespace: string
  readonly workload: string
  /** URL of the sidecar's admin port. */
  readonly admin: string
}

/** The environment that the program inherits, with what it is told. */
export function programEnvironment(
  inherited: Readonly<Record<string, string | undefined>>,
  { service, namespace, workload, admin }: Told,
): Record<string, string | undefined> {
  return {
    ...Object.fromEntries(Object.entries(inherited).filter(([name]) => !withheld.includes(name))),
    WEFT_SERVICE: service,
    WEFT_NAMESPACE: namespace,
    WEFT_WORKLOAD: workload,
    WEFT_ADMIN: admin,
  }
}
