import { Command, CommanderError, Option } from 'commander'
import { status, type Terminal } from './terminal.ts'
import { version } from './version.ts'

/** Runs one command line and gives its exit status. Never rejects for what a user may do. */
export async function main(args: readonly string[], terminal: Terminal): Promise<number> {
  let ended: number = status.done
  const program = weftProgram(terminal, (result) => (ended = result))
  try {
    await program.parseAsync(args, { from: 'user' })
    return ended
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error
    return error.exitCode === 0 ? status.done : status.usage
  }
}

/** The whole command line: names, flags, help. What a command does is loaded when it is called. */
function weftProgram(terminal: Terminal, done: (result: number) => void): Command {
  const program = new Command('weft')
    .description('A service mesh: both planes, no root, no Kubernetes.')
    .version(version, '-V, --version', 'print the version')
    .helpOption('-h, --help', 'show help')
    .helpCommand(false)
    .enablePositionalOptions()
    .exitOverride()
    .configureOutput({ writeOut: terminal.out, writeErr: terminal.err })
    .showHelpAfterError('(--help shows how it is used)')
    .addHelpText(
      'after',
      `
Two commands make a mesh:
  weft up
  weft run --service web --port 8080 -- node server.js

Exit status: 0 done, 1 failed, 2 wrong usage; "weft run" ends with its command's.`,
    )
  const add = (spec: string, about: string, examples: readonly string[]): Command => {
    const command = program.command(spec).description(about).helpOption('-h, --help', 'show help')
    return command.addHelpText('after', `\nExamples:\n${examples.map((line) => `  ${line}`).join('\n')}`)
  }
  const ended = (result: Promise<number>): Promise<void> => result.then(done)

  add('demo', 'start a whole sample mesh, show it, and remove it on Ctrl-C', ['weft demo', 'weft demo --check'])
    .option('--check', 'verify each operation against the running mesh; exits 0 or 1')
    .action((flags) => ended(import('./commands/demo.ts').then(({ demo }) => demo(flags, terminal))))

  add('up', 'run a control plane in the foreground', [
    'weft up',
    'weft up -f mesh/                     # loads and watches resource files',
    'weft up --advertise 192.0.2.10       # takes workloads from other machines',
  ])
    .option('--data-dir <dir>', 'where everything is kept (WEFT_DATA_DIR; else the state directory of this user)')
    .option('--xds <host:port>', 'where sidecars connect; port 0: any free one (default: 127.0.0.1:15012)')
    .option('--api <host:port>', 'where the HTTP API and /metrics are (default: 127.0.0.1:15080)')
    .option('--advertise <host>', 'name or address by which other machines reach this one')
    .addOption(new Option('--store <kind>', 'where resources live').choices(['sqlite', 'memory']).default('sqlite'))
    .option('-f, --filename <file|dir>', 'load and watch resource files; may be repeated', collect)
    .addOption(
      new Option('--log-level <level>', 'how much is written')
        .choices(['error', 'warn', 'info', 'debug'])
        .default('info'),
    )
    .action((flags) => ended(import('./commands/up.ts').then(({ up }) => up(flags, terminal))))

  add('run', 'register a command as an instance of a service, with a sidecar beside it', [
    'weft run --service web --port 8080 -- node server.js',
    'weft run --service api --port 80=3000/http --label version=v2 -- ./api --listen 3000',
    'weft run --service batch -- python job.py          # a client only',
    'weft run -f processes.yaml',
    'weft run --service web --port 8080 --token-file join.token -- ./web   # control plane elsewhere',
  ])
    .usage('--service NAME [options] -- COMMAND…\n       weft run -f FILE')
    .argument('[command...]', 'the program and its arguments, after --')
    .option('--service <name>', 'the service that this is an instance of')
    .option(
      '-f, --filename <file|->',
      'run all programs of a process file, each as this would (examples/processes.yaml)',
    )
    .option('-n, --namespace <namespace>', 'namespace (default: default)')
    .option('--service-account <name>', "whose identity it has (default: the service's name)")
    .option('--port <[name:][serviceport=]port[/protocol]>', 'a port of the command; may be repeated', collect)
    .option('--label <key=value>', 'a label of this instance; may be repeated', collect)
    .option(
      '--locality <region/zone/sub-zone>',
      'where it runs, as far as it is known: policies may prefer what is near',
    )
    .option(
      '--capture <mode>',
      'namespace: all calls of the command are caught; host: by the rules of weft capture install; explicit: it is told of its sidecar by HTTP_PROXY; auto: the first where it works (default)',
    )
    .option(
      '--proxy <which>',
      'weft (default), or envoy: an Envoy is the sidecar, found by --envoy-path, ENVOY_BIN or the path; calls by HTTP_PROXY',
    )
    .option('--envoy-path <file>', 'the Envoy to start, 1.40 or newer')
    .option('--inbound <[name=]host:port>', 'where the sidecar takes calls for a port; may be repeated', collect)
    .option('--advertise <host>', 'address by which other machines reach this one')
    .option('--admin <host:port>', "the sidecar's admin port (default: a free one on loopback)")
    .option('--workers <n|auto>', 'processes of the sidecar, which share the work; auto: one a processor (default: 1)')
    .option('--data-dir <dir>', 'data directory of a control plane on this machine (WEFT_DATA_DIR)')
    .option('--token-file <file>', 'join token of a control plane elsewhere (or WEFT_TOKEN)')
    .addOption(
      new Option(
        '--restart <when>',
        'start the command again when it ends by itself, after a growing pause (default: no)',
      ).choices(['no', 'on-failure', 'always']),
    )
    .option(
      '--ready <check>',
      'what makes the command ready: http://:8080/healthz, tcp://:8080, grpc://:50051[/service], exec:COMMAND; may be repeated (default: each port answers)',
      collect,
    )
    .option(
      '--ready-interval <duration>',
      'between two rounds of checks (default: 1s; until ready at most 100ms, at first 20ms)',
    )
    .option('--ready-timeout <duration>', 'how long a check may take (default: 1s)')
    .option('--ready-failures <count>', 'failed rounds in a row that make it unready (default: 2)')
    .option('--ready-successes <count>', 'good rounds in a row that make it ready (default: 1)')
    .option('--no-wait', 'fail at once when the control plane cannot be reached')
    .option('--verbose', 'tell what the agent does')
    .passThroughOptions()
    .action((command, flags) => ended(import('./commands/run.ts').then(({ run }) => run(command, flags, terminal))))

  add('proxy', 'run a bare proxy from an Envoy bootstrap, without a mesh', [
    'weft proxy -c envoy.yaml',
    'weft proxy -c envoy.yaml --check      # only says whether it can be used',
    'weft proxy -c envoy.json --admin 127.0.0.1:9901',
  ])
    .requiredOption('-c, --config <file|->', 'Envoy bootstrap, YAML or JSON: static resources, or ADS (delta)')
    .option('--admin <host:port>', "the admin port (default: the bootstrap's, if it names one)")
    .option('--workers <n|auto>', 'processes of the proxy, which share the work; auto: one a processor (default: 1)')
    .option('--drain-time <seconds>', 'how long calls in flight may take when it is stopped (default: 5)')
    .option('--check', 'say whether the file can be used, and why not, and end')
    .addOption(
      new Option('--log-level <level>', 'how much is written')
        .choices(['error', 'warn', 'info', 'debug'])
        .default('info'),
    )
    .action((flags) => ended(import('./commands/proxy.ts').then(({ proxy }) => proxy(flags, terminal))))
  add('gateway', "serve a Gateway's listeners", [
    'weft gateway --name edge',
    'weft gateway --name edge --bind 0.0.0.0 --port-map 80=8080 --port-map 443=8443',
    'weft gateway --name edge --token-file join.token   # control plane elsewhere',
  ])
    .requiredOption('--name <gateway>', 'name of the Gateway; it need not be there yet')
    .option('-n, --namespace <namespace>', 'namespace of the Gateway (default: default)')
    .option('--bind <host>', 'IP address for its listeners (default: a loopback address of its own)')
    .option('--port-map <port=port>', 'bind another port for the listeners of one; may be repeated', collect)
    .option('--advertise <host>', 'IP address by which others reach it, for the status')
    .option('--locality <region/zone/sub-zone>', 'where it runs, so that calls stay near')
    .option('--admin <host:port>', "the proxy's admin port (default: 15000 on its own loopback address)")
    .option('--workers <n|auto>', 'processes of the proxy, which share the work; auto: one a processor (default: 1)')
    .option('--data-dir <dir>', 'data directory of a control plane on this machine (WEFT_DATA_DIR)')
    .option('--token-file <file>', 'join token of a control plane elsewhere (or WEFT_TOKEN)')
    .option('--no-wait', 'fail at once when the control plane cannot be reached')
    .option('--verbose', 'tell what the agent does')
    .action((flags) => ended(import('./commands/gateway.ts').then(({ gateway }) => gateway(flags, terminal))))

  place(
    add('apply', 'write resources: all of them or none', [
      'weft apply -f examples/split.yaml',
      'weft apply -f mesh/ --dry-run',
      'weft apply -f route.yaml --wait --timeout 10s',
      'weft get httproute reviews -o yaml | weft apply -f -',
    ]),
  )
    .requiredOption('-f, --filename <file|dir|->', 'what to apply; may be repeated', collect)
    .option('--dry-run', 'say what would happen, write nothing')
    .option('--wait', 'return when every proxy concerned serves it, or say which does not and why (exit 1)')
    .option('--timeout <duration>', 'how long to wait at most', '30s')
    .addOption(output())
    .action((flags) => ended(import('./commands/apply.ts').then(({ apply }) => apply(flags, terminal))))

  place(
    add('get', 'list resources of a kind', [
      'weft get services',
      'weft get workloads -A',
      'weft get httproute reviews -o yaml',
      'weft get workloads -w',
    ]),
  )
    .argument('<kind>', 'services, workloads, httproutes, … (singular or short works too)')
    .argument('[name]')
    .option('-n, --namespace <namespace>', 'namespace (default: default)')
    .option('-A, --all-namespaces', 'look in all namespaces')
    .option('-w, --watch', 'go on with every change')
    .addOption(output())
    .action((kind, name, flags) =>
      ended(import('./commands/get.ts').then(({ get }) => get(kind, name, flags, terminal))),
    )

  place(
    add('upgrade', 'replace the sidecar process of workloads by a new one, without cutting a connection', [
      'weft upgrade web-3k9x2',
      'weft upgrade web --finish 30s',
    ]),
  )
    .argument('<proxies...>', 'names of workloads, or of services with one instance')
    .option('-n, --namespace <namespace>', 'namespace (default: default)')
    .option('--finish <duration>', 'how long the old process may finish its connections (default: 10m)')
    .action((proxies, flags) =>
      ended(import('./commands/upgrade.ts').then(({ upgrade }) => upgrade(proxies, flags, terminal))),
    )

  place(
    add('describe', 'show all about one resource and what has to do with it', [
      'weft describe service web',
      'weft describe httproute reviews -n shop',
    ]),
  )
    .argument('<kind>')
    .argument('<name>')
    .option('-n, --namespace <namespace>', 'namespace (default: default)')
    .addOption(output())
    .action((kind, name, flags) =>
      ended(import('./commands/describe.ts').then(({ describe }) => describe(kind, name, flags, terminal))),
    )

  place(add('delete', 'delete resources', ['weft delete httproute reviews', 'weft delete -f examples/split.yaml']))
    .argument('[kind]')
    .argument('[names...]')
    .option('-n, --namespace <namespace>', 'namespace (default: default)')
    .option('-f, --filename <file|dir|->', 'delete what these describe; may be repeated', collect)
    .action((kind, names, flags) =>
      ended(import('./commands/delete.ts').then(({ remove }) => remove(kind, names, flags, terminal))),
    )

  add('validate', 'check resource files without a control plane', [
    'weft validate -f mesh/',
    'weft validate -f - < route.yaml',
  ])
    .requiredOption('-f, --filename <file|dir|->', 'what to check; may be repeated', collect)
    .addOption(output())
    .action((flags) => ended(import('./commands/validate.ts').then(({ validate }) => validate(flags, terminal))))

  place(
    add('proxies', 'show for each proxy whether it runs what it was sent', ['weft proxies', 'weft proxies -o json']),
  )
    .addOption(output())
    .action((flags) => ended(import('./commands/proxies.ts').then(({ proxies }) => proxies(flags, terminal))))

  place(
    add('config', 'show what a sidecar itself says it runs', [
      'weft proxies                        # names them',
      'weft config web-3k9x2 routes',
      'weft config web endpoints -o json   # the only instance of web',
    ]),
  )
    .argument('<proxy>', 'NAME or NAMESPACE/NAME of a workload, or the beginning of one')
    .argument('[part]', 'listeners, routes, clusters, endpoints or certs (default: all)')
    .option('-n, --namespace <namespace>', 'namespace (default: default)')
    .addOption(output())
    .action((proxy, part, flags) =>
      ended(import('./commands/config.ts').then(({ config }) => config(proxy, part, flags, terminal))),
    )

  place(
    add('check', 'say what is missing: on this machine, in the control plane, in a workload', [
      'weft check                            # this machine, the control plane, every workload',
      'weft check --machine --capture namespace',
      'weft check web-3k9x2',
      'weft check --from web --to orders:8080/healthz     # one call through the mesh, step by step',
      'weft check --token-file join.token    # on the machine that is to join',
    ]),
  )
    .argument('[workload]', 'NAME or NAMESPACE/NAME, or the beginning of one (default: all)')
    .option('-n, --namespace <namespace>', 'namespace (default: default)')
    .option('--from <workload|service>', 'with --to: make one call through the mesh from there')
    .option('--to <service[:port][/path]>', 'where that call goes (a GET, or a raw connection)')
    .option('--machine', 'look at this machine alone')
    .addOption(
      new Option('--capture <mode>', 'the mode that has to work (auto: what is missing is only told)').choices([
        'auto',
        'namespace',
        'host',
        'explicit',
      ]),
    )
    .option('--token-file <file>', 'ask the control plane that this join token names')
    .addOption(output())
    .action((workload, flags) =>
      ended(import('./commands/check.ts').then(({ check }) => check(workload, flags, terminal))),
    )

  place(
    add('explain', 'show every decision for a request, and why', [
      'weft explain --from storefront GET http://catalog/books',
      "weft explain --from web-3k9x2 POST http://orders/ -H 'x-user: ann'",
    ]),
  )
    .argument('<method>', 'such as GET')
    .argument('<url>', 'such as http://catalog/books')
    .option('--from <workload|service>', 'who asks: NAME or NAMESPACE/NAME')
    .option('-n, --namespace <namespace>', 'namespace of the caller (default: default)')
    .option('-H, --header <name: value>', 'a header of the request; may be repeated', collect)
    .addOption(output())
    .action((method, url, flags) =>
      ended(import('./commands/explain.ts').then(({ explain }) => explain(method, url, flags, terminal))),
    )

  const capture = add(
    'capture',
    'nftables rules for all programs of a machine, container or pod (weft run --capture host)',
    [
      'weft capture install --except-user 0',
      'weft run --service web --capture host -- setpriv --reuid app --regid app --clear-groups -- ./web',
    ],
  )
  const verb = (name: string, about: string): Command =>
    capture.command(name).description(about).helpOption('-h, --help', 'show help')
  verb('install', 'send TCP and DNS of this network namespace to the sidecar; needs root or CAP_NET_ADMIN')
    .option('--except-user <id>', "a user whose calls pass by: the sidecar's; may be repeated", collect)
    .option('--only-user <id>', 'catch the calls of this user alone; may be repeated', collect)
    .option('--except-mark <mark>', 'a firewall mark that passes by; may be repeated', collect)
    .option(
      '--inbound-ports <ports>',
      'ports whose connections from outside go to the sidecar first: all (default; but ssh), none, or numbers with commas between',
    )
    .option('--exclude-inbound-ports <ports>', 'ports that they reach directly all the same')
    .action((flags) =>
      ended(import('./commands/capture.ts').then(({ installCapture }) => installCapture(flags, terminal))),
    )
  verb('remove', 'take the rules away, all of them').action(() =>
    ended(import('./commands/capture.ts').then(({ removeCapture }) => removeCapture(terminal))),
  )
  verb('show', 'say whether the rules are installed, and whom they pass by; exit status 1: they are not')
    .addOption(output())
    .action((flags) => ended(import('./commands/capture.ts').then(({ showCapture }) => showCapture(flags, terminal))))

  const dataDirFlag = '--data-dir <dir>'
  const dataDirHelp = 'data directory of the control plane (WEFT_DATA_DIR)'
  add('backup', 'save the store and the keys of the mesh in one file', ['weft backup weft-backup.db'])
    .argument('<file>', 'must not be there yet; holds private keys')
    .option(dataDirFlag, dataDirHelp)
    .action((file, flags) => ended(import('./commands/backup.ts').then(({ backup }) => backup(file, flags, terminal))))

  add('restore', 'bring a backup back, into a data directory without a store', [
    'weft restore weft-backup.db',
    'weft restore weft-backup.db --data-dir /srv/weft',
  ])
    .argument('<file>', 'made by weft backup')
    .option(dataDirFlag, dataDirHelp)
    .action((file, flags) =>
      ended(import('./commands/restore.ts').then(({ restore }) => restore(file, flags, terminal))),
    )

  add('uninstall', 'remove the data directory, once nothing runs: nothing of the mesh is left then', [
    'weft uninstall',
    'weft uninstall --yes',
  ])
    .option(dataDirFlag, dataDirHelp)
    .option('--yes', 'do not ask')
    .action((flags) => ended(import('./commands/uninstall.ts').then(({ uninstall }) => uninstall(flags, terminal))))

  const token = add('token', 'credentials for joining from another machine', ['weft token create > join.token'])
  place(token.command('create').description('print a join token').helpOption('-h, --help', 'show help'))
    .option('--ttl <duration>', 'how long it can be used, such as 30m or 24h')
    .option('--namespace <namespace>', 'only workloads of this namespace')
    .option('--service-account <name>', 'only this service account')
    .addOption(output())
    .addHelpText(
      'after',
      `
Examples:
  weft token create > join.token
  weft token create --ttl 30m --namespace shop`,
    )
    .action((flags) =>
      ended(import('./commands/token-create.ts').then(({ createToken }) => createToken(flags, terminal))),
    )

  return program
}

const collect = (value: string, before: readonly string[] = []): readonly string[] => [...before, value]

const output = (): Option => new Option('-o, --output <format>', 'for programs').choices(['json', 'yaml'])

/** The flags by which a command finds its control plane. */
const place = (command: Command): Command =>
  command
    .option('--data-dir <dir>', 'data directory of the control plane (WEFT_DATA_DIR)')
    .option('--server <url>', 'its API instead (WEFT_SERVER); wants WEFT_API_TOKEN or a readable api.token')
