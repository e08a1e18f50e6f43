import { dependencyCycle, type DependencyCondition } from '../../agent/process-set.ts'
import type { AgentOptions } from '../../agent/options.ts'
import {
  decode,
  invalid,
  list,
  object,
  oneOf,
  optional,
  record,
  refine,
  string,
  withDefault,
  type Decoder,
  type Issue,
} from '../../base/decode.ts'
import type { Problem } from '../../base/problem.ts'
import { parseDocuments } from '../../control/collect/yaml.ts'
import { readRunOptions, type ReadRunOptions, type RunFlags } from './run-options.ts'

/** One program of a process file, ready to be run. */
export interface ListedProcess {
  readonly name: string
  readonly options: ReadRunOptions
  /** Added to our own. */
  readonly env: Readonly<Record<string, string>>
  readonly dependsOn: readonly { readonly name: string; readonly condition: DependencyCondition }[]
}

/** What stands in the file, whose fields are the flags of `weft run`. */
interface Written {
  readonly name: string
  readonly command: readonly string[]
  readonly service?: string
  readonly namespace?: string
  readonly serviceAccount?: string
  readonly ports: readonly string[]
  readonly labels: Readonly<Record<string, string>>
  readonly env: Readonly<Record<string, string>>
  readonly locality?: string
  readonly capture?: AgentOptions['capture']
  readonly proxy?: 'weft' | 'envoy'
  readonly restart?: AgentOptions['restart']
  readonly workers?: string
  readonly ready: readonly string[]
  readonly readyInterval?: string
  readonly readyTimeout?: string
  readonly readyFailures?: string
  readonly readySuccesses?: string
  readonly dependsOn: ListedProcess['dependsOn']
}

const dnsLabel = string({
  form: /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/,
  expected: 'a name of at most 63 lower-case letters, digits and "-"',
})
/** YAML makes numbers of what is meant as text: ports, counts, values of variables. */
const text: Decoder<string> = (value, path, issues) =>
  string()(typeof value === 'number' || typeof value === 'boolean' ? String(value) : value, path, issues)
const dependency: Decoder<Written['dependsOn'][number]> = (value, path, issues) =>
  typeof value === 'string'
    ? { name: value, condition: 'ready' }
    : object<Written['dependsOn'][number]>({
        name: dnsLabel,
        condition: withDefault(oneOf('started', 'ready', 'completed'), 'ready'),
      })(value, path, issues)

/** What a flag of `weft run` may say, in the words that it is refused with. */
const asFlag = <T>(decoder: Decoder<T>, flags: (value: T) => Omit<RunFlags, 'service'>): Decoder<T> =>
  refine(decoder, (value, path, issues: Issue[]) => {
    const read = readRunOptions({ service: 'x', ...flags(value) }, ['x'])
    if ('options' in read) return value
    for (const message of read.problems) issues.push({ path, message })
    return invalid
  })

const written: Decoder<Written> = object<Written>({
  name: dnsLabel,
  command: list(text, { min: 1 }),
  service: optional(dnsLabel),
  namespace: optional(dnsLabel),
  serviceAccount: optional(dnsLabel),
  ports: withDefault(list(asFlag(text, (one) => ({ port: [one] }))), []),
  labels: withDefault(record(text), {}),
  env: withDefault(record(text), {}),
  locality: optional(asFlag(string(), (locality) => ({ locality }))),
  capture: optional(oneOf('auto', 'namespace', 'explicit')),
  proxy: optional(oneOf('weft', 'envoy')),
  restart: optional(oneOf('no', 'on-failure', 'always')),
  workers: optional(asFlag(text, (workers) => ({ workers }))),
  ready: withDefault(list(asFlag(string(), (one) => ({ ready: [one] }))), []),
  readyInterval: optional(asFlag(string(), (readyInterval) => ({ readyInterval }))),
  readyTimeout: optional(asFlag(string(), (readyTimeout) => ({ readyTimeout }))),
  readyFailures: optional(asFlag(text, (readyFailures) => ({ readyFailures }))),
  readySuccesses: optional(asFlag(text, (readySuccesses) => ({ readySuccesses }))),
  dependsOn: withDefault(list(dependency), []),
})
const file = object<{ readonly processes: readonly Written[] }>({ processes: list(written, { min: 1, max: 256 }) })

/** Every problem at once, each with its file, line and field. `wait` is the command line's. */
export function readProcessFile(
  source: { readonly file: string; readonly text: string },
  { wait }: { readonly wait: boolean },
): { readonly processes: readonly ListedProcess[] } | { readonly problems: readonly Problem[] } {
  const { documents, problems } = parseDocuments(source.text, source.file)
  const [document, second] = documents
  if (problems.length > 0) return { problems }
  const problem = (path: string, message: string): Problem => ({
    severity: 'error',
    resource: '',
    field: path,
    message,
    place: document?.place(path) ?? { file: source.file },
  })
  if (document === undefined) return { problems: [problem('', 'is empty: expected "processes:" with a list')] }
  if (second !== undefined) return { problems: [problem('', 'holds several documents: one file is one set')] }
  const read = decode(file, document.value)
  if ('issues' in read) return { problems: read.issues.map(({ path, message }) => problem(path, message)) }
  const { processes } = read.value
  const wrong = together(processes).map(({ path, message }) => problem(path, message))
  const listed: ListedProcess[] = []
  for (const [index, one] of processes.entries()) {
    const options = readRunOptions(flagsOf(one, wait), one.command)
    if ('options' in options)
      listed.push({ name: one.name, options: options.options, env: one.env, dependsOn: one.dependsOn })
    else wrong.push(...options.problems.map((message) => problem(`processes[${index}]`, message)))
  }
  return wrong.length > 0 ? { problems: wrong } : { processes: listed }
}

/** Each was right by itself; what is wrong between them. */
function together(processes: readonly Written[]): readonly Issue[] {
  const names = processes.map(({ name }) => name)
  const twice = names.flatMap((name, index) =>
    names.indexOf(name) === index ? [] : [{ path: `processes[${index}].name`, message: `${name} is there twice` }],
  )
  const unknown = processes.flatMap(({ name, dependsOn }, index) =>
    dependsOn.flatMap((one, at) =>
      names.includes(one.name) && one.name !== name
        ? []
        : [
            {
              path: `processes[${index}].dependsOn[${at}]`,
              message: one.name === name ? 'a process cannot wait for itself' : `there is no process ${one.name} here`,
            },
          ],
    ),
  )
  if (twice.length > 0 || unknown.length > 0) return [...twice, ...unknown]
  const cycle = dependencyCycle(processes)
  const index = names.indexOf(cycle?.[0] ?? '')
  return cycle === undefined
    ? []
    : [{ path: `processes[${index}].dependsOn`, message: `they wait for one another: ${cycle.join(' → ')}` }]
}

const flagsOf = (one: Written, wait: boolean): RunFlags => ({
  service: one.service ?? one.name,
  ...(one.namespace === undefined ? {} : { namespace: one.namespace }),
  ...(one.serviceAccount === undefined ? {} : { serviceAccount: one.serviceAccount }),
  ...(one.locality === undefined ? {} : { locality: one.locality }),
  ...(one.workers === undefined ? {} : { workers: one.workers }),
  ...(one.capture === undefined ? {} : { capture: one.capture }),
  ...(one.proxy === undefined ? {} : { proxy: one.proxy }),
  ...(one.restart === undefined ? {} : { restart: one.restart }),
  ...(one.readyInterval === undefined ? {} : { readyInterval: one.readyInterval }),
  ...(one.readyTimeout === undefined ? {} : { readyTimeout: one.readyTimeout }),
  ...(one.readyFailures === undefined ? {} : { readyFailures: one.readyFailures }),
  ...(one.readySuccesses === undefined ? {} : { readySuccesses: one.readySuccesses }),
  port: one.ports,
  label: Object.entries(one.labels).map(([key, value]) => `${key}=${value}`),
  ready: one.ready,
  wait,
})
