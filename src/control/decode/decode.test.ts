import assert from 'node:assert/strict'
import { test } from 'node:test'
import { formatProblem } from '../../base/problem.ts'
import { parseDocuments } from '../collect/yaml.ts'
import { decodeDocument } from './decode.ts'
import type { Kind, ResourceOf } from './resource-types.ts'

/** What people see of a text, each problem with its line. */
function problemsOf(text: string): readonly string[] {
  const { documents, problems } = parseDocuments(text, 'a.yaml')
  assert.deepEqual(problems, [])
  return documents.flatMap(({ value, place }, index) => {
    const decoded = decodeDocument(value, { index: index + 1, placeOf: place })
    return 'problems' in decoded ? decoded.problems.map(formatProblem) : []
  })
}

const service = (spec: string): string => `apiVersion: v1\nkind: Service\nmetadata: {name: web}\nspec:\n  ${spec}`
const route = (rules: string): string =>
  `apiVersion: gateway.networking.k8s.io/v1\nkind: HTTPRoute\nmetadata: {name: web}\nspec:\n` +
  `  parentRefs: [{group: '', kind: Service, name: web}]\n  ${rules}`
const policy = (spec: string): string =>
  `apiVersion: security.istio.io/v1\nkind: AuthorizationPolicy\nmetadata: {name: web}\nspec:\n  ${spec}`
const authentication = (spec: string): string =>
  `apiVersion: weft.dev/v1alpha1\nkind: PeerAuthentication\nmetadata: {name: web}\nspec:\n  ${spec}`
const workload = (spec: string): string =>
  `apiVersion: weft.dev/v1alpha1\nkind: Workload\nmetadata: {name: web-1}\nspec:\n  ${spec}`

const table: readonly (readonly [name: string, text: string, problems: readonly string[]])[] = [
  [
    'a kind that does not exist',
    'apiVersion: v1\nkind: Servise\nmetadata: {name: web}',
    ['a.yaml:2: Servise default/web: kind: there is no kind "Servise"; did you mean Service?'],
  ],
  [
    'a kind like none',
    'apiVersion: v1\nkind: Pod\nmetadata: {name: web}',
    [
      'a.yaml:2: Pod default/web: kind: there is no kind "Pod"; known are Namespace, Service, Workload, EndpointSlice, ExternalService, GatewayClass, Gateway, ListenerSet, HTTPRoute, GRPCRoute, TLSRoute, TCPRoute, UDPRoute, ReferenceGrant, BackendTLSPolicy, PeerAuthentication, AuthorizationPolicy, Secret, ConfigMap, TrafficPolicy, MeshConfig, VirtualIP',
    ],
  ],
  [
    'an ExternalService of which nothing fits',
    'apiVersion: weft.dev/v1alpha1\nkind: ExternalService\nmetadata: {name: pay}\nspec:\n  hosts: [a.example, A.example, "x.*.y"]\n' +
      '  resolution: None\n  location: MESH_EXTERNAL\n  ports: [{port: 80, protocol: http}, {port: 80, protocol: udp}]',
    [
      'a.yaml:7: ExternalService default/pay: spec.location: an ExternalService is outside of the mesh; instances of the mesh are Workloads',
      'a.yaml:5: ExternalService default/pay: spec.hosts[2]: expected a host name, "*." and the end of host names, or an IP address, got "x.*.y"',
      'a.yaml:8: ExternalService default/pay: spec.ports[1].protocol: expected one of "http", "http2", "grpc", "tcp", "https", "tls", got "udp"',
    ],
  ],
  [
    'an ExternalService whose parts contradict each other',
    'apiVersion: weft.dev/v1alpha1\nkind: ExternalService\nmetadata: {name: pay}\nspec:\n  hosts: [a.example, A.example]\n' +
      '  resolution: None\n  ports: [{port: 80, protocol: http, targetPort: 81}, {port: 80, name: x, protocol: tcp}]\n' +
      '  endpoints: [{address: 192.0.2.1, ports: {y: 1}}]',
    [
      'a.yaml:5: ExternalService default/pay: spec.hosts[1]: the host "a.example" is there twice',
      'a.yaml:7: ExternalService default/pay: spec.ports[0].targetPort: with resolution None connections go on to the port that they were for',
      'a.yaml:7: ExternalService default/pay: spec.ports[1].port: port 80 is there twice',
      'a.yaml:8: ExternalService default/pay: spec.endpoints: resolution None has no endpoints: connections go on to where they were going; say Static',
      'a.yaml:8: ExternalService default/pay: spec.endpoints[0].ports.y: no port is called "y"',
    ],
  ],
  [
    'an ExternalService by names that nobody could ask for',
    'apiVersion: weft.dev/v1alpha1\nkind: ExternalService\nmetadata: {name: pay}\nspec:\n  hosts: ["*.a.example", 192.0.2.1]\n' +
      '  resolution: DNS\n  ports:\n    - {port: 80, protocol: http, tls: {insecureSkipVerify: true}}\n' +
      '    - {port: 81, protocol: https, tls: {}}\n    - {port: 82, protocol: http, tls: {caCertificates: system}}',
    [
      'a.yaml:8: ExternalService default/pay: spec.ports[0].tls.insecureSkipVerify: nobody is believed without proof; put the certificate into caCertificates',
      "a.yaml:9: ExternalService default/pay: spec.ports[1].tls: with protocol https TLS is the program's own; for TLS by the mesh say protocol http",
      'a.yaml:10: ExternalService default/pay: spec.ports[2].tls.caCertificates: expected "System" or certificates in PEM, got "system"',
    ],
  ],
  [
    'an ExternalService that leaves open whom to ask and to believe',
    'apiVersion: weft.dev/v1alpha1\nkind: ExternalService\nmetadata: {name: pay}\nspec:\n  hosts: ["*.a.example", 192.0.2.1]\n' +
      '  resolution: DNS\n  ports: [{port: 80, protocol: http, tls: {}}]',
    [
      "a.yaml:7: ExternalService default/pay: spec.ports[0].tls.sni: is needed, since no host is a name: the name in the endpoints' certificate",
      'a.yaml:4: ExternalService default/pay: spec.endpoints: resolution DNS asks for the addresses of the host if there is one, without "*."; else of endpoints',
    ],
  ],
  [
    'an ExternalService whose egress gateway could not know where to go on to',
    'apiVersion: weft.dev/v1alpha1\nkind: ExternalService\nmetadata: {name: pay}\nspec:\n  hosts: ["*.a.example"]\n' +
      '  resolution: None\n  ports: [{name: a, port: 80, protocol: http}, {name: b, port: 443, protocol: tls}]\n  egressGateway: {name: edge}',
    [
      'a.yaml:7: ExternalService default/pay: spec.ports[1].protocol: with resolution None a gateway learns from HTTP alone where a call was going; say Static or DNS, or call this port without egressGateway (another ExternalService)',
    ],
  ],
  [
    'an egress gateway by its port',
    'apiVersion: weft.dev/v1alpha1\nkind: ExternalService\nmetadata: {name: pay}\nspec:\n  hosts: [a.example]\n' +
      '  resolution: DNS\n  ports: [{port: 80, protocol: http}]\n  egressGateway: {port: 80}',
    [
      "a.yaml:8: ExternalService default/pay: spec.egressGateway.port: the port is that of the Gateway's listener of protocol weft.dev/mesh; remove this",
      'a.yaml:8: ExternalService default/pay: spec.egressGateway.name: expected a name of lower-case letters, digits, "-" and ".", got nothing',
    ],
  ],
  [
    'an ExternalService with names where addresses are wanted',
    'apiVersion: weft.dev/v1alpha1\nkind: ExternalService\nmetadata: {name: pay}\nspec:\n  hosts: [a.example]\n' +
      '  resolution: Static\n  ports: [{port: 80, protocol: http}]\n  endpoints: [{address: b.example}]',
    [
      'a.yaml:8: ExternalService default/pay: spec.endpoints[0].address: expected an IP address (host names need resolution DNS), got "b.example"',
    ],
  ],
  [
    'the wrong apiVersion',
    'apiVersion: apps/v1\nkind: Service\nmetadata: {name: web}\nspec: {ports: [{port: 80}]}',
    ['a.yaml:1: Service default/web: apiVersion: expected "v1" for Service, got "apps/v1"'],
  ],
  [
    'no resource at all',
    'hello',
    ['a.yaml:1: document 1: expected a resource (an object with apiVersion, kind, metadata and spec), got "hello"'],
  ],
  [
    'neither kind nor name',
    'apiVersion: v1',
    [
      'a.yaml:1: document 1: kind: expected a kind such as "Service", got nothing',
      'a.yaml:1: document 1: metadata: expected an object, got nothing',
    ],
  ],
  [
    'an unknown field, near and far',
    service('ports: [{port: 80, targetPrt: 8080}]\n  colour: red'),
    [
      'a.yaml:6: Service default/web: spec.colour: unknown field; known are selector, ports, type, clusterIP, clusterIPs, sessionAffinity, ipFamilies, ipFamilyPolicy, internalTrafficPolicy, publishNotReadyAddresses',
      'a.yaml:5: Service default/web: spec.ports[0].targetPrt: unknown field; did you mean "targetPort"?',
    ],
  ],
  [
    'an unknown field of the document',
    'apiVersion: v1\nkind: Service\nmetadata: {name: web}\nspec: {ports: [{port: 80}]}\nsepc: {}',
    ['a.yaml:5: Service default/web: sepc: unknown field; did you mean "spec"?'],
  ],
  [
    'the wrong type',
    service('ports: [{port: "80"}]'),
    ['a.yaml:5: Service default/web: spec.ports[0].port: expected a whole number from 1 to 65535, got "80"'],
  ],
  [
    'several at once, each with its line',
    'apiVersion: v1\nkind: Service\nmetadata:\n  name: Web_1\n  labels:\n    app: a b\nspec:\n  ports:\n    - port: 0\n    - port: 81\n      protocol: SCTP',
    [
      'a.yaml:4: Service default/Web_1: metadata.name: expected a name of lower-case letters, digits, "-" and ".", got "Web_1"',
      'a.yaml:6: Service default/Web_1: metadata.labels.app: expected a label value of at most 63 letters, digits, "-", "_" and ".", got "a b"',
      'a.yaml:9: Service default/Web_1: spec.ports[0].port: expected a whole number from 1 to 65535, got 0',
      'a.yaml:11: Service default/Web_1: spec.ports[1].protocol: expected one of "TCP", "UDP", got "SCTP"',
    ],
  ],
  [
    'the second document of a file',
    `${service('ports: [{port: 80}]')}\n---\n${service('ports: []')}`,
    ['a.yaml:11: Service default/web: spec.ports: expected from 1 to 100 items, got a list of 0'],
  ],
  [
    'a Service name with dots',
    'apiVersion: v1\nkind: Service\nmetadata: {name: a.b}\nspec: {ports: [{port: 80}]}',
    [
      'a.yaml:3: Service default/a.b: metadata.name: expected a name of at most 63 lower-case letters, digits and "-", beginning and ending with a letter or digit, got "a.b"',
    ],
  ],
  [
    'ports of a Service: twice, unnamed, of an unknown protocol',
    service(
      'ports:\n    - {name: a, port: 80}\n    - {name: a, port: 80}\n    - {port: 82}\n    - {name: e, port: 84, appProtocol: mongo}',
    ),
    [
      'a.yaml:7: Service default/web: spec.ports[1].port: port 80 is there twice',
      'a.yaml:7: Service default/web: spec.ports[1].name: the name "a" is there twice',
      'a.yaml:8: Service default/web: spec.ports[2].name: a Service with several ports must name each of them',
      'a.yaml:9: Service default/web: spec.ports[3].appProtocol: expected http, http2, grpc, https, tls or tcp, got "mongo" (tcp passes anything else through)',
    ],
  ],
  [
    'what a Service cannot be yet',
    service('type: ExternalName\n  externalName: example.com\n  publishNotReadyAddresses: 1\n  ports: [{port: 80}]'),
    [
      'a.yaml:6: Service default/web: spec.externalName: not supported yet: a Service here is made of workloads of the mesh',
      'a.yaml:5: Service default/web: spec.type: expected one of "ClusterIP", got "ExternalName"',
      'a.yaml:7: Service default/web: spec.publishNotReadyAddresses: expected true or false, got 1',
    ],
  ],
  [
    'a namespace on what has none',
    'apiVersion: v1\nkind: Namespace\nmetadata: {name: prod, namespace: prod}',
    ['a.yaml:3: Namespace prod: metadata.namespace: a Namespace has no namespace; remove this'],
  ],
  [
    'what becomes of datagrams, in a word that nobody knows',
    'apiVersion: weft.dev/v1alpha1\nkind: MeshConfig\nmetadata: {name: default}\nspec: {outboundTraffic: {udp: Forward}}',
    ['a.yaml:4: MeshConfig default: spec.outboundTraffic.udp: expected one of "Allow", "Refuse", got "Forward"'],
  ],
  [
    'spans that go nowhere, and are told of in ways that nobody knows',
    'apiVersion: weft.dev/v1alpha1\nkind: MeshConfig\nmetadata: {name: default}\nspec: {tracing: {collector: {backendRef: {name: otel, port: 4317}, protocol: thrift}, samplingPercent: 101, ' +
      'customTags: [{tag: a, value: b, header: c}, {tag: d, value: e}, {tag: d, value: f}]}}',
    [
      'a.yaml:4: MeshConfig default: spec.tracing.collector.backendRef.namespace: is missing: a MeshConfig is in no namespace',
      'a.yaml:4: MeshConfig default: spec.tracing.collector.protocol: expected one of "grpc", "http", got "thrift"',
      'a.yaml:4: MeshConfig default: spec.tracing.samplingPercent: expected a number from 0 to 100, got 101',
      'a.yaml:4: MeshConfig default: spec.tracing.customTags[0]: expected { tag, value }, or { tag, header } with or without default',
    ],
  ],
  [
    'two tags of one name, and no collector',
    'apiVersion: weft.dev/v1alpha1\nkind: MeshConfig\nmetadata: {name: default}\nspec: {tracing: {customTags: [{tag: d, value: e}, {tag: d, value: f}]}}',
    [
      'a.yaml:4: MeshConfig default: spec.tracing.collector: expected an object, got nothing',
      'a.yaml:4: MeshConfig default: spec.tracing.customTags[1].tag: "d" is there already',
    ],
  ],
  [
    'a second MeshConfig',
    'apiVersion: weft.dev/v1alpha1\nkind: MeshConfig\nmetadata: {name: other}\nspec: {loadBalancing: RoundRobbin}',
    [
      'a.yaml:4: MeshConfig other: spec.loadBalancing: expected one of "PeakEWMA", "LeastRequest", "RoundRobin", got "RoundRobbin" (did you mean "RoundRobin"?)',
      'a.yaml:3: MeshConfig other: metadata.name: there is one MeshConfig, called "default", got "other"',
    ],
  ],
  [
    'a Workload that nobody can reach',
    workload('service: web\n  ports:\n    - {name: http, targetPort: 8080}'),
    [
      "a.yaml:4: Workload default/web-1: spec.address: port http has no inbound listener, so the workload's IP address is needed",
    ],
  ],
  [
    'a Workload with a name for an address',
    workload('service: web\n  address: localhost\n  ports:\n    - {name: a, targetPort: 1}'),
    ['a.yaml:6: Workload default/web-1: spec.address: expected an IP address, got "localhost"'],
  ],
  [
    'parents that nothing attaches to',
    'apiVersion: gateway.networking.k8s.io/v1\nkind: HTTPRoute\nmetadata: {name: web}\nspec:\n  parentRefs:\n    - {kind: Bucket, name: b}\n    - {group: x.example, kind: Service, name: b}',
    [
      'a.yaml:6: HTTPRoute default/web: spec.parentRefs[0].kind: a route attaches to a Gateway, a ListenerSet, a Service (group "") or an ExternalService (group "weft.dev"), got "Bucket"',
      'a.yaml:7: HTTPRoute default/web: spec.parentRefs[1].group: a Service is of group "", got "x.example"',
    ],
  ],
  [
    'sessions that nobody can end',
    route(
      'rules:\n    - sessionPersistence: {idleTimeout: 1h, type: Header, absoluteTimeout: 90s}\n      backendRefs: [{name: web}]',
    ),
    [
      'a.yaml:8: HTTPRoute default/web: spec.rules[0].backendRefs[0].port: expected a whole number from 1 to 65535, got nothing',
      'a.yaml:7: HTTPRoute default/web: spec.rules[0].sessionPersistence.absoluteTimeout: a header does not say when its session began; use type Cookie',
      'a.yaml:7: HTTPRoute default/web: spec.rules[0].sessionPersistence.idleTimeout: a header does not say when its session was last used; use type Cookie',
    ],
  ],
  [
    'paths that no request has',
    route('rules:\n    - matches:\n        - path: {value: api}\n        - path: {value: /a/../b, type: Exact}'),
    [
      'a.yaml:8: HTTPRoute default/web: spec.rules[0].matches[0].path.value: expected a path that begins with "/" and has no "//", "/./", "/../", "%2F", "?" or "#", got "api"',
      'a.yaml:9: HTTPRoute default/web: spec.rules[0].matches[1].path.value: expected a path that begins with "/" and has no "//", "/./", "/../", "%2F", "?" or "#", got "/a/../b"',
    ],
  ],
  [
    'regular expressions that are none, wherever they stand',
    route(
      "rules:\n    - matches:\n        - path: {type: RegularExpression, value: '/(a'}\n          headers: [{name: x, type: RegularExpression, value: '(?=a)'}]\n          queryParams: [{name: q, type: RegularExpression, value: '[b'}]",
    ),
    [
      'a.yaml:8: HTTPRoute default/web: spec.rules[0].matches[0].path.value: expected a regular expression in RE2 syntax, got "/(a" (error parsing regexp: missing closing ): `/(a`)',
      'a.yaml:9: HTTPRoute default/web: spec.rules[0].matches[0].headers[0].value: expected a regular expression in RE2 syntax, got "(?=a)" (error parsing regexp: invalid or unsupported Perl syntax: `(?=`)',
      'a.yaml:10: HTTPRoute default/web: spec.rules[0].matches[0].queryParams[0].value: expected a regular expression in RE2 syntax, got "[b" (error parsing regexp: missing closing ]: `[b`)',
    ],
  ],
  [
    'a header twice in one match, in whatever case',
    route(
      'rules:\n    - matches:\n        - headers:\n            - {name: X-User, value: a}\n            - {name: x-user, value: b}',
    ),
    ['a.yaml:10: HTTPRoute default/web: spec.rules[0].matches[0].headers[1].name: "x-user" is there twice'],
  ],
  [
    'a source and an operation that say nothing',
    policy('rules:\n    - from: [{source: {}}]\n      to: [{operation: {paths: []}}]'),
    [
      'a.yaml:6: AuthorizationPolicy default/web: spec.rules[0].from[0].source: needs at least one field that is not empty',
      'a.yaml:7: AuthorizationPolicy default/web: spec.rules[0].to[0].operation: needs at least one field that is not empty',
    ],
  ],
  [
    'stars and templates where they mean nothing',
    policy("rules:\n    - to:\n        - operation:\n            paths: ['/a/{*}/b', '/a/{**}', '*a*', 'a*b']"),
    [
      'a.yaml:8: AuthorizationPolicy default/web: spec.rules[0].to[0].operation.paths[0]: path templates ({*}) are not supported yet; a "*" at one end is',
      'a.yaml:8: AuthorizationPolicy default/web: spec.rules[0].to[0].operation.paths[1]: path templates ({**}) are not supported yet; a "*" at one end is',
      'a.yaml:8: AuthorizationPolicy default/web: spec.rules[0].to[0].operation.paths[2]: expected a "*" at one end, not at both, got "*a*"',
      'a.yaml:8: AuthorizationPolicy default/web: spec.rules[0].to[0].operation.paths[3]: expected a "*" only at one end, got "a*b"',
    ],
  ],
  [
    'what needs tokens, or a service outside',
    policy(
      'action: CUSTOM\n  provider: {name: x}\n  rules:\n    - from: [{source: {requestPrincipals: ["*"]}}]\n      when: [{key: request.auth.claims, values: [a]}]',
    ),
    [
      'a.yaml:6: AuthorizationPolicy default/web: spec.provider: external authorization is not supported yet',
      'a.yaml:8: AuthorizationPolicy default/web: spec.rules[0].from[0].source.requestPrincipals: needs RequestAuthentication (JWT), which is not supported yet',
      'a.yaml:9: AuthorizationPolicy default/web: spec.rules[0].when[0].key: expected request.headers[NAME], source.ip, source.namespace, source.principal or destination.port, got "request.auth.claims"',
    ],
  ],
  [
    'addresses and ports of a policy',
    policy(
      'rules:\n    - from: [{source: {ipBlocks: [10.0.0.0/33, 300.1.1.1, 10.0.0.0/8]}}]\n      to: [{operation: {ports: ["80", "70000"]}}]\n      when: [{key: source.ip, values: [here]}, {key: destination.port, notValues: [http]}]',
    ),
    [
      'a.yaml:6: AuthorizationPolicy default/web: spec.rules[0].from[0].source.ipBlocks[0]: expected an address or CIDR block such as "10.0.0.0/8", got "10.0.0.0/33"',
      'a.yaml:6: AuthorizationPolicy default/web: spec.rules[0].from[0].source.ipBlocks[1]: expected an address or CIDR block such as "10.0.0.0/8", got "300.1.1.1"',
      'a.yaml:7: AuthorizationPolicy default/web: spec.rules[0].to[0].operation.ports[1]: expected a port as a string, such as "8080", got "70000"',
      'a.yaml:8: AuthorizationPolicy default/web: spec.rules[0].when[0].values[0]: expected an address or CIDR block such as "10.0.0.0/8", got "here"',
      'a.yaml:8: AuthorizationPolicy default/web: spec.rules[0].when[1].notValues[0]: expected a port as a string, such as "8080", got "http"',
    ],
  ],
  [
    'two ways to choose at once',
    policy('selector: {matchLabels: {app: web}}\n  targetRefs: [{kind: Service, name: web}]'),
    ['a.yaml:6: AuthorizationPolicy default/web: spec.targetRefs: give selector or targetRefs, not both'],
  ],
  [
    'modes and ports of PeerAuthentication',
    authentication('mtls: {mode: STRIKT}\n  portLevelMtls: {http: {mode: STRICT}}'),
    [
      'a.yaml:5: PeerAuthentication default/web: spec.mtls.mode: expected one of "UNSET", "DISABLE", "PERMISSIVE", "STRICT", got "STRIKT" (did you mean "STRICT"?)',
    ],
  ],
  [
    'ports without workloads that have them',
    authentication('portLevelMtls: {8080: {mode: STRICT}}'),
    [
      'a.yaml:5: PeerAuthentication default/web: spec.portLevelMtls: needs a selector or targetRefs: port numbers mean something only for chosen workloads',
    ],
  ],
]

for (const [name, text, problems] of table) test(name, () => assert.deepEqual(problemsOf(text), problems))

test('without a place the field alone is named', () => {
  const decoded = decodeDocument({ apiVersion: 'v1', kind: 'Service', metadata: { name: 'web' }, spec: {} })
  assert.deepEqual('problems' in decoded && decoded.problems.map(formatProblem), [
    'Service default/web: spec.ports: expected a list, got nothing',
  ])
})

/** Decoded in full, without `placeOf`. */
function good<K extends Kind>(kind: K, text: string): Omit<ResourceOf<K>, 'placeOf'> {
  const [document] = parseDocuments(text, 'a.yaml').documents
  const decoded = decodeDocument(document?.value)
  assert.ok('resource' in decoded, JSON.stringify(decoded))
  assert.equal(decoded.resource.kind, kind)
  return decoded.resource as ResourceOf<typeof kind> // `kind` was just compared
}
const metadata = (name: string, namespace = 'default'): object => ({
  name,
  namespace,
  labels: {},
  annotations: {},
  resourceVersion: '0',
  creationTimestamp: '',
})

test('a Namespace; what Kubernetes adds is taken', () => {
  const text =
    'apiVersion: v1\nkind: Namespace\nmetadata:\n  name: prod\n  uid: x\n  resourceVersion: "7"\n  creationTimestamp: "2026-01-01T00:00:00Z"\n  managedFields: []\nspec: {finalizers: [kubernetes]}\nstatus: {phase: Active}'
  assert.deepEqual(good('Namespace', text), {
    apiVersion: 'v1',
    kind: 'Namespace',
    metadata: { ...metadata('prod', ''), resourceVersion: '7', creationTimestamp: '2026-01-01T00:00:00Z' },
    spec: { finalizers: ['kubernetes'] },
  })
})

test('a Service', () => {
  const text = service(
    'selector: {app: web}\n  type: ClusterIP\n  ports:\n    - {name: http, port: 80, targetPort: web}\n    - {name: tcp-sql, port: 5432}\n    - {name: other, port: 90, targetPort: 9, appProtocol: tcp, protocol: TCP}',
  )
  assert.deepEqual(good('Service', text), {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: metadata('web'),
    spec: {
      selector: { app: 'web' },
      ports: [
        { name: 'http', port: 80, targetPort: 'web', protocol: 'http' },
        { name: 'tcp-sql', port: 5432, targetPort: 5432, protocol: 'tcp' },
        { name: 'other', port: 90, targetPort: 9, protocol: 'tcp' },
      ],
    },
  })
})

test('a Workload', () => {
  const text = workload(
    'service: web\n  address: 10.0.0.1\n  outbound: {address: 127.0.0.1, port: 15001}\n  weight: 5\n  ports:\n    - {targetPort: 8081, servicePort: 8080, inbound: {address: 127.0.0.1, port: 20001}}\n    - {name: sql, targetPort: 5432, protocol: tcp}',
  )
  assert.deepEqual(good('Workload', text), {
    apiVersion: 'weft.dev/v1alpha1',
    kind: 'Workload',
    metadata: metadata('web-1'),
    spec: {
      service: 'web',
      serviceAccount: 'web',
      address: '10.0.0.1',
      outbound: { host: '127.0.0.1', port: 15001 },
      weight: 5,
      ports: [
        {
          name: 'port-8081',
          servicePort: 8080,
          targetPort: 8081,
          protocol: 'http',
          inbound: { host: '127.0.0.1', port: 20001 },
        },
        { name: 'sql', servicePort: 5432, targetPort: 5432, protocol: 'tcp' },
      ],
    },
  })
})

test('an HTTPRoute', () => {
  const text = route(
    "hostnames: [a.example]\n  rules:\n    - name: one\n      matches:\n        - {path: {type: Exact, value: /a}, method: GET, headers: [{name: X-A, value: '1'}], queryParams: [{name: Q, type: RegularExpression, value: 'a+'}]}\n      backendRefs: [{name: web, port: 80}, {name: v2, namespace: x, port: 81, weight: 9}]\n    - {matches: []}",
  )
  assert.deepEqual(good('HTTPRoute', text), {
    apiVersion: 'gateway.networking.k8s.io/v1',
    kind: 'HTTPRoute',
    metadata: metadata('web'),
    spec: {
      parentRefs: [{ group: '', kind: 'Service', name: 'web' }],
      hostnames: ['a.example'],
      rules: [
        {
          name: 'one',
          matches: [
            {
              path: { type: 'Exact', value: '/a' },
              method: 'GET',
              headers: [{ name: 'x-a', type: 'Exact', value: '1' }],
              queryParams: [{ name: 'Q', type: 'RegularExpression', value: 'a+' }],
            },
          ],
          backendRefs: [
            { group: '', kind: 'Service', name: 'web', port: 80, weight: 1 },
            { group: '', kind: 'Service', name: 'v2', namespace: 'x', port: 81, weight: 9 },
          ],
        },
        { matches: [matchesAll], backendRefs: [] },
      ],
    },
  })
})
const matchesAll = { path: { type: 'PathPrefix', value: '/' }, headers: [], queryParams: [] }

test('an HTTPRoute without rules has one that matches everything', () => {
  assert.deepEqual(good('HTTPRoute', route('')).spec.rules, [{ matches: [matchesAll], backendRefs: [] }])
})

test('a ReferenceGrant', () => {
  const text = (spec: string): string =>
    `apiVersion: gateway.networking.k8s.io/v1beta1\nkind: ReferenceGrant\nmetadata: {name: web}\nspec:\n  ${spec}`
  const from = 'from: [{group: gateway.networking.k8s.io, kind: HTTPRoute, namespace: shop}]'
  assert.deepEqual(good('ReferenceGrant', text(`${from}\n  to: [{group: '', kind: Service, name: web}]`)).spec, {
    from: [{ group: 'gateway.networking.k8s.io', kind: 'HTTPRoute', namespace: 'shop' }],
    to: [{ group: '', kind: 'Service', name: 'web' }],
  })
  assert.deepEqual(problemsOf(text(`${from}\n  to: []`)), [
    'a.yaml:6: ReferenceGrant default/web: spec.to: expected from 1 to 16 items, got a list of 0',
  ])
})

test('a PeerAuthentication', () => {
  const text = authentication(
    'selector: {matchLabels: {app: web}}\n  mtls: {mode: STRICT}\n  portLevelMtls: {8080: {mode: DISABLE}}',
  )
  assert.deepEqual(good('PeerAuthentication', text).spec, {
    target: { matchLabels: { app: 'web' }, services: [] },
    mode: 'STRICT',
    portModes: new Map([[8080, 'DISABLE']]),
  })
  assert.deepEqual(good('PeerAuthentication', authentication('')).spec, {
    target: { matchLabels: {}, services: [] },
    mode: 'UNSET',
    portModes: new Map(),
  })
})

test('an AuthorizationPolicy', () => {
  const text = policy(
    "targetRefs: [{kind: Service, name: web}]\n  action: DENY\n  rules:\n    - from: [{source: {principals: ['*'], notIpBlocks: ['::1', 10.0.0.0/8]}}]\n      to: [{operation: {ports: ['80'], paths: [/a*]}}]\n      when: [{key: 'request.headers[x-user]', values: [a]}]\n    - {}",
  )
  const nothing = { principals: [], notPrincipals: [], namespaces: [], notNamespaces: [], ipBlocks: [] }
  const anything = { hosts: [], notHosts: [], notPorts: [], methods: [], notMethods: [], notPaths: [] }
  assert.deepEqual(good('AuthorizationPolicy', text).spec, {
    target: { matchLabels: {}, services: ['web'] },
    action: 'DENY',
    rules: [
      {
        from: [{ ...nothing, principals: ['*'], notIpBlocks: ['::1', '10.0.0.0/8'] }],
        to: [{ ...anything, ports: ['80'], paths: ['/a*'] }],
        when: [{ key: 'request.headers[x-user]', values: ['a'], notValues: [] }],
      },
      { from: [], to: [], when: [] },
    ],
  })
  assert.deepEqual(good('AuthorizationPolicy', policy('')).spec, {
    target: { matchLabels: {}, services: [] },
    action: 'ALLOW',
    rules: [],
  })
})

test('a MeshConfig, and its defaults', () => {
  const text = (spec: string): string =>
    `apiVersion: weft.dev/v1alpha1\nkind: MeshConfig\nmetadata: {name: default}\nspec: ${spec}`
  assert.deepEqual(
    good(
      'MeshConfig',
      text(
        '{outboundTraffic: {mode: RegisteredOnly, udp: Allow}, accessLog: {enabled: true}, loadBalancing: RoundRobin}',
      ),
    ),
    {
      apiVersion: 'weft.dev/v1alpha1',
      kind: 'MeshConfig',
      metadata: metadata('default', ''),
      spec: {
        outboundTraffic: 'RegisteredOnly',
        outboundDatagrams: 'Allow',
        accessLog: true,
        loadBalancing: 'RoundRobin',
      },
    },
  )
  const collector = '{backendRef: {name: otel, namespace: o, port: 4317}}'
  assert.deepEqual(
    good('MeshConfig', text(`{tracing: {collector: ${collector}, customTags: [{tag: a, header: X-A}]}}`)).spec.tracing,
    {
      collector: { backendRef: { group: '', kind: 'Service', namespace: 'o', name: 'otel', port: 4317 } },
      samplingPercent: 1,
      customTags: [{ tag: 'a', header: 'x-a', default: '' }],
    },
  )
  assert.deepEqual(good('MeshConfig', text('{}')).spec, {
    outboundTraffic: 'AllowAny',
    accessLog: false,
    loadBalancing: 'PeakEWMA',
  })
})
