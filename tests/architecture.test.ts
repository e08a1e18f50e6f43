import assert from 'node:assert/strict'
import fs from 'node:fs'
import path from 'node:path'
import { test } from 'node:test'
import { checkTree, type Ban, type LoadLimit, type Room, type Rules } from './architecture/check.ts'

/** What a stage of the proxy may know: the two waists. The layers meet in the stack files only. */
const waists = [
  'proxy/http/service.ts',
  'proxy/http/headers.ts',
  'proxy/http/body.ts',
  'proxy/http/fault.ts',
  'proxy/config.ts',
  'proxy/config',
]
const stage = (name: string, packages: readonly string[], more: readonly string[] = []): Room => ({
  room: `proxy/${name}`,
  sees: ['base', ...waists, ...more],
  packages,
  why: 'a stage sees the waists (Service, ProxyConfig) and base, never the insides of another stage',
})

const rooms: readonly Room[] = [
  {
    room: 'base',
    sees: [],
    packages: ['node:', 're2js'],
    why: 'base is what any program could use: it knows nothing of a mesh',
  },
  {
    room: 'xds',
    sees: ['base'],
    packages: ['node:', '@bufbuild/protobuf'],
    why: 'xds is the wire between the planes, not either of them',
  },
  {
    room: 'ca',
    sees: ['base', 'xds'],
    packages: ['node:', '@peculiar/x509'],
    why: 'the authority signs; who asks and why is not its business',
  },
  {
    room: 'ca/csr.ts',
    sees: ['base', 'ca/der.ts'],
    packages: ['node:'],
    why: 'every agent makes a CSR, so it must not load a certificate library',
  },

  {
    room: 'control/model',
    sees: ['base'],
    packages: [],
    why: 'the waist of the control plane is plain data: policy above, protocol below',
  },
  {
    room: 'control/decode',
    sees: ['base'],
    packages: ['re2js'],
    why: 'unknown → typed, pure: it must run anywhere, offline too',
  },
  {
    room: 'control/collect',
    sees: ['base', 'control/decode'],
    packages: ['node:', 'yaml'],
    why: 'sources deliver documents; what they mean is decided later',
  },
  {
    room: 'control/inventory',
    sees: ['base', 'control/decode', 'control/collect'],
    packages: [],
    why: 'the inventory indexes what is known, before any name is resolved',
  },
  {
    room: 'control/link',
    sees: ['base', 'control/decode', 'control/inventory', 'control/model'],
    packages: ['re2js'],
    why: 'link turns resources into the model and never sees the protocol',
  },
  {
    room: 'control/render',
    sees: ['base', 'xds', 'control/model'],
    packages: ['node:crypto', 'node:net', '@bufbuild/protobuf'],
    why: 'render turns the model into xDS and never sees a resource as written',
  },
  {
    room: 'control/serve',
    sees: ['base', 'xds', 'control/model', 'control/render', 'control/api/contract.ts'],
    packages: ['node:', '@bufbuild/protobuf', '@grpc/grpc-js'],
    why: 'serve moves rendered resources; what they say is not its business',
  },
  {
    room: 'control/session',
    sees: ['base', 'xds', 'ca', 'control/decode', 'control/collect', 'control/inventory'],
    packages: ['node:', '@bufbuild/protobuf', '@grpc/grpc-js'],
    why: 'sessions write workloads and sign keys; policy is linked elsewhere',
  },
  {
    room: 'control/status',
    sees: ['base', 'control/decode', 'control/collect', 'control/inventory', 'control/link', 'control/model'],
    packages: [],
    why: 'verdicts go back in the words of resources, not of xDS',
  },
  {
    room: 'control/api/contract.ts',
    sees: ['base'],
    packages: [],
    why: "what stands in the API's bodies is plain data, for every client",
  },
  {
    room: 'control/api',
    sees: [
      'base',
      'control/decode',
      'control/collect',
      'control/inventory',
      'control/link',
      'control/model',
      'control/status',
    ],
    packages: ['node:', 'yaml'],
    why: 'the API speaks of resources; sessions and streams are handed in',
  },
  {
    room: 'control/*',
    sees: ['base', 'xds', 'ca', 'control'],
    packages: ['node:', '@grpc/grpc-js'],
    why: 'the stack of the control plane joins its stages and never sees the proxy',
  },

  { room: 'proxy/config', sees: ['base'], packages: [], why: 'the second waist is plain data' },
  { room: 'proxy/config.ts', sees: ['base', 'proxy/config'], packages: [], why: 'the second waist is plain data' },
  {
    room: 'proxy/sidecar-messages.ts',
    sees: ['base'],
    packages: [],
    why: 'agent and sidecar share these words and nothing else',
  },
  {
    room: 'proxy/http/service.ts',
    sees: ['base', 'proxy/http/headers.ts', 'proxy/http/body.ts', 'proxy/http/fault.ts', 'proxy/config/tracing.ts'],
    packages: [],
    why: 'the Service waist is a type: no codec, no socket',
  },
  { room: 'proxy/http/headers.ts', sees: ['base'], packages: [], why: 'part of the Service waist' },
  {
    room: 'proxy/http/body.ts',
    sees: ['base', 'proxy/http/headers.ts', 'proxy/http/fault.ts'],
    packages: [],
    why: 'part of the Service waist',
  },
  { room: 'proxy/http/fault.ts', sees: ['base'], packages: [], why: 'part of the Service waist' },
  stage('listener', ['node:']),
  stage('detect', ['node:'], ['proxy/sidecar-messages.ts']),
  stage('http', ['node:']),
  stage('format', ['node:crypto']),
  stage('filter', ['node:net', 're2js'], ['proxy/format']),
  stage('route', ['re2js']),
  stage('recovery', []),
  stage('balance', ['node:util']),
  stage('health', ['node:'], ['proxy/http/exchange.ts', 'proxy/balance/probe.ts']),
  stage('upstream', ['node:'], ['proxy/sidecar-messages.ts']),
  stage('telemetry', ['node:'], ['proxy/format']),
  stage('tracing', [], ['proxy/format']),
  stage('dns', ['node:']),
  {
    room: 'proxy/xds',
    sees: ['base', 'xds', 'proxy/config.ts', 'proxy/config'],
    packages: ['node:', '@bufbuild/protobuf', '@grpc/grpc-js'],
    why: 'the only place in the proxy where a protobuf message is known',
  },
  {
    room: 'proxy/explain',
    sees: ['base', 'xds/names.ts', 'proxy'],
    packages: [],
    why: 'explain asks the very functions that a call meets, in every stage',
  },
  {
    room: 'proxy/export',
    sees: ['base', 'xds/ads-client.ts', 'proxy'],
    packages: [],
    why: 'spans and logs leave by the proxy itself, as calls to a cluster of it',
  },
  {
    room: 'proxy/*',
    sees: ['base', 'xds/names.ts', 'xds/type-urls.ts', 'xds/ads-client.ts', 'xds/mesh-source.ts', 'ca', 'proxy'],
    packages: ['node:'],
    why: 'the stacks put the stages together and never see the control plane',
  },

  {
    room: 'agent',
    sees: ['base', 'xds', 'ca', 'proxy/sidecar-messages.ts'],
    packages: ['node:', '@bufbuild/protobuf', '@grpc/grpc-js'],
    why: 'the agent owns sockets and the lease, and never loads the proxy',
  },
  {
    room: 'gateway',
    sees: ['base', 'xds', 'ca', 'proxy', 'agent'],
    packages: ['node:'],
    why: 'a gateway is a proxy with an agent; the control plane is far away',
  },
  {
    room: 'demo',
    sees: ['base', 'xds', 'ca', 'control/api/contract.ts', 'agent', 'gateway'],
    packages: ['node:', 'yaml'],
    why: 'the demo uses the mesh as any user would: by commands and the API',
  },
  { room: 'demo/service.ts', sees: [], packages: ['node:'], why: 'an ordinary program, which knows nothing of Weft' },
  { room: 'inject', sees: ['base'], packages: ['yaml'], why: 'manifest → manifest, pure' },
  {
    room: 'dashboard',
    sees: ['base', 'control/api/contract.ts'],
    packages: ['node:'],
    why: 'the page reads public interfaces, as any stranger would',
  },
  {
    room: 'cli',
    sees: ['base', 'xds', 'ca', 'control', 'proxy', 'agent', 'gateway', 'demo', 'inject', 'dashboard'],
    packages: ['node:', 'commander', 'yaml'],
    why: 'commands print and never decide',
  },
]

const loadLimits: readonly LoadLimit[] = [
  {
    entry: 'ca/csr.ts',
    never: ['@peculiar/x509'],
    why: 'every agent makes a CSR; a certificate library costs each of them megabytes',
  },
  {
    entry: 'proxy/sidecar.ts',
    never: ['control', 'agent', 'cli', '@peculiar/x509', 'yaml', 'commander'],
    why: 'every program of the mesh has a sidecar beside it; what it loads is paid for that many times',
  },
  {
    entry: 'agent/capture/namespace/helper.ts',
    never: ['control', 'proxy', 'cli', 'xds', 'ca', '@bufbuild/protobuf'],
    why: 'one stands beside every captured program and is to stay small',
  },
  {
    entry: 'agent/run-agent.ts',
    never: ['control', 'proxy', 'xds/gen/envoy', '@peculiar/x509', '@grpc/grpc-js', 'yaml'],
    why: 'one stands beside every program; messages of xDS are for the few beside an Envoy',
  },
  {
    entry: 'cli/weft.ts',
    never: ['control', 'proxy', 'agent', 'demo', 'xds/gen', '@peculiar/x509', '@grpc/grpc-js', 'yaml'],
    why: 'each command loads its own code when it is called, so that `weft get` answers at once',
  },
  {
    entry: 'demo/service.ts',
    never: ['base', 'xds', 'control', 'proxy', 'agent'],
    why: 'the sample services stand for programs that were never changed for the mesh',
  },
]

const mains = ['cli', 'proxy/sidecar.ts', 'agent/capture/namespace/helper.ts', 'demo/service.ts']
const bans: readonly Ban[] = [
  {
    form: /\bDate\.now\b|\bnew Date\(\s*\)|\bperformance\.now\b|\bprocess\.hrtime\b/g,
    allowedIn: ['base', 'demo/service.ts'],
    why: 'time is handed in (base/clock.ts), so that tests move it by hand',
  },
  {
    form: /(?<![.\w])(?:setTimeout|setInterval)\b/g,
    allowedIn: ['base', 'demo/service.ts'],
    why: 'timers are handed in (base/clock.ts), so that tests move them by hand',
  },
  {
    form: /\bMath\.random\b/g,
    allowedIn: ['base', 'demo/service.ts'],
    why: 'chance is handed in (base/random.ts), so that tests repeat it',
  },
  {
    form: /\bprocess\.exit\b(?!Code)/g,
    allowedIn: mains,
    why: 'only the main of a process ends it; everywhere else it would cut off what is being written',
  },
]

const root = path.dirname(import.meta.dirname)
const packageJson = JSON.parse(fs.readFileSync(path.join(root, 'package.json'), 'utf8')) as {
  dependencies: Record<string, string>
}
const rules: Rules = {
  rooms,
  loadLimits,
  bans,
  maxLines: 400,
  generated: ['xds/gen/'],
  runtimePackages: Object.keys(packageJson.dependencies),
}

test('src keeps the rules of the architecture', () => {
  const src = path.join(root, 'src')
  const names = fs.globSync('**/*.ts', { cwd: src })
  const files = new Map(names.map((name) => [name, fs.readFileSync(path.join(src, name), 'utf8')]))
  assert.ok(files.size > 30, `found only ${files.size} files under ${src}`)
  const found = checkTree(files, rules)
  assert.equal(found.length, 0, `\n${found.join('\n')}\n`)
  for (const { entry } of loadLimits) assert.ok(files.has(entry), `${entry} is not where its load limit expects it`)
})

/** A made-up tree: one breach of each rule, and the neighbour that keeps it. */
const breaches: readonly { title: string; files: Record<string, string>; expect: readonly RegExp[] }[] = [
  {
    title: 'the planes never import each other, by type or dynamically either',
    files: {
      'control/link/link.ts': "import type { Route } from '../../proxy/config.ts'\n",
      'proxy/outbound.ts': "const x = await import('../control/model/model.ts')\n",
      'proxy/config.ts': '',
      'control/model/model.ts': '',
    },
    expect: [
      /link\.ts:1: control\/link may not import proxy\/config/,
      /outbound\.ts:1: proxy\/\* may not import control\/model/,
    ],
  },
  {
    title: 'a stage does not see another, the stack sees both',
    files: {
      'proxy/filter/a.ts': "import { b } from '../balance/b.ts'\nexport { service } from '../http/service.ts'\n",
      'proxy/balance/b.ts': '',
      'proxy/http/service.ts': '',
      'proxy/outbound.ts': "import { b } from './balance/b.ts'\nimport {\n  a,\n} from './filter/a.ts'\n",
    },
    expect: [/filter\/a\.ts:1: proxy\/filter may not import proxy\/balance\/b\.ts/],
  },
  {
    title: 'upwards is forbidden',
    files: { 'base/a.ts': "import '../xds/names.ts'\n", 'xds/names.ts': '' },
    expect: [/base may not import xds/],
  },
  {
    title: 'packages are for some rooms, tools for none',
    files: {
      'control/model/m.ts': "import fs from 'node:fs'\n",
      'ca/csr.ts': "import { Pkcs10 } from '@peculiar/x509'\n",
      'cli/a.ts': "import { build } from 'esbuild'\n",
    },
    expect: [
      /model may not import "node:fs"/,
      /csr\.ts may not import "@peculiar/,
      /csr\.ts → @peculiar/,
      /"esbuild" is no dependency/,
    ],
  },
  {
    title: 'cycles, through types too',
    files: {
      'base/a.ts': "import type { B } from './b.ts'\n",
      'base/b.ts': "import { c } from './c.ts'\n",
      'base/c.ts': "import { a } from './a.ts'\n",
    },
    expect: [/import cycle: base\/a\.ts → base\/b\.ts → base\/c\.ts → base\/a\.ts/],
  },
  {
    title: 'a process does not load what it does not need, however far away the import is',
    files: {
      'proxy/sidecar.ts': "import { a } from '../base/a.ts'\nconst later = () => import('../base/b.ts')\n",
      'base/a.ts': "import yaml from 'yaml'\n",
      'base/b.ts': '',
    },
    expect: [/base may not import "yaml"/, /sidecar\.ts → base\/a\.ts → yaml: proxy\/sidecar\.ts must not load it/],
  },
  {
    title: 'shape: default exports, barrels, length, doc comments',
    files: {
      'base/index.ts': '',
      'base/a.ts': 'const a = 1\nexport default a\n',
      'base/long.ts': 'const a = 1\n'.repeat(401),
      'base/b.ts': '/** Said. */\nexport function said(): void {}\n\nexport function unsaid(): void {}\n',
    },
    expect: [
      /no index\.ts/,
      /a\.ts:2: no default exports/,
      /long\.ts: 401 lines/,
      /b\.ts:4: unsaid has no doc comment/,
    ],
  },
  {
    title: 'time, chance and the end of the process, but not in strings, comments or regular expressions',
    files: {
      'ca/a.ts': [
        "// Date.now() and import x from '../control/model/model.ts'",
        "const text = 'Math.random()' + `setTimeout ${Date.now()} setInterval` + clock.setTimeout",
        'const form = /["\'`]setTimeout/',
        'const chance = Math.random()',
        'process.exit(1)',
        'process.exitCode = 1',
      ].join('\n'),
      'base/clock.ts': 'setTimeout(() => Date.now())\n',
      'base/clock.test.ts': 'Math.random()\n',
    },
    expect: [/ca\/a\.ts:2: Date\.now/, /ca\/a\.ts:4: Math\.random/, /ca\/a\.ts:5: process\.exit/],
  },
  {
    title: 'every file has a room; what serves tests stays with tests',
    files: {
      'extra/a.ts': '',
      'ca/a.ts': "import { golden } from '../base/testing/golden.ts'\n",
      'ca/a.test.ts': "import { golden } from '../base/testing/golden.ts'\nimport '../control/model/model.ts'\n",
      'base/testing/golden.ts': '',
      'control/model/model.ts': '',
    },
    expect: [/extra\/a\.ts: no room/, /ca\/a\.ts:1: imports base\/testing\/golden\.ts, which is there for tests/],
  },
]

for (const { title, files, expect } of breaches) {
  test(`the checker sees: ${title}`, () => {
    const found = checkTree(new Map(Object.entries(files)), rules)
    for (const form of expect)
      assert.ok(
        found.some((one) => form.test(one)),
        `${form} is not among\n${found.join('\n')}`,
      )
    assert.equal(found.length, expect.length, found.join('\n'))
  })
}
