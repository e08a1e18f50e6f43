import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseDocuments } from './yaml.ts'

const route = `# a comment first
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata:
  name: reviews
  labels:
    app.kubernetes.io/name: reviews
spec:
  rules:
    - matches:
        - path: { value: / }
      backendRefs:
        - name: a
        - name: b
          weight: 3
---
# nothing but a comment
---
kind: Second
`

test('many documents, each with its own lines', () => {
  const { documents, problems } = parseDocuments(route, 'a.yaml')
  assert.deepEqual(problems, [])
  assert.equal(documents.length, 2)
  const line = (path?: string): number | undefined => documents[0]!.place(path).line
  assert.deepEqual(documents[0]!.place('kind'), { file: 'a.yaml', line: 3 })
  assert.equal(line(), 2)
  assert.equal(line('metadata.name'), 5)
  assert.equal(line('metadata.labels.app.kubernetes.io/name'), 7)
  assert.equal(line('spec.rules[0].matches[0].path.value'), 11)
  assert.equal(line('spec.rules[0].backendRefs[1]'), 14)
  assert.equal(line('spec.rules[0].backendRefs[1].weight'), 15)
  // Not there: the nearest parent that is.
  assert.equal(line('spec.rules[0].backendRefs[1].port'), 14)
  assert.equal(line('spec.hostnames[3]'), 8)
  assert.equal(documents[1]!.place('').line, 19)
})

test('JSON, and lists are opened up', () => {
  const text = JSON.stringify(
    { kind: 'List', items: [{ kind: 'A' }, { kind: 'ServiceList', items: [{ kind: 'B', x: 1 }] }] },
    null,
    1,
  )
  const { documents, problems } = parseDocuments(text, 'a.json')
  assert.deepEqual(problems, [])
  assert.deepEqual(
    documents.map(({ value }) => value),
    [{ kind: 'A' }, { kind: 'B', x: 1 }],
  )
  assert.equal(documents[1]!.place('x').line, text.split('\n').findIndex((line) => line.includes('"x"')) + 1)
})

test('a syntax error names its line and spoils its own document only', () => {
  const { documents, problems } = parseDocuments('kind: A\n---\nkind: [1, 2\n---\nkind: C\n', 'a.yaml')
  assert.ok(problems.length > 0)
  assert.ok(problems.every(({ place }) => place?.file === 'a.yaml' && Number(place.line) >= 3))
  assert.deepEqual(documents[0]!.value, { kind: 'A' })
})

test('a key given twice, an unknown tag', () => {
  assert.match(parseDocuments('a: 1\na: 2\n', 'f').problems[0]!.message, /unique/)
  assert.equal(parseDocuments('a: !!js/function "x"\n', 'f').problems.length, 1)
})

test('"__proto__" is a key like any other', () => {
  const [document] = parseDocuments('{"__proto__": {"polluted": true}}', 'f').documents
  assert.equal(({} as { polluted?: boolean }).polluted, undefined)
  assert.deepEqual(Object.keys(Object(document!.value)), ['__proto__'])
})

test('hostile texts: one short problem, and quickly', () => {
  const mega = 1024 * 1024
  const bomb = ['a: &a [x, x, x, x, x, x, x, x, x]']
  for (let index = 1; index < 9; index++) {
    const name = String.fromCharCode(97 + index)
    const before = String.fromCharCode(96 + index)
    bomb.push(`${name}: &${name} [${`*${before},`.repeat(9)}]`)
  }
  const texts: Record<string, string> = {
    'ten megabytes': 'x'.repeat(10 * mega),
    binary: '\0\u0001\u0002garbage'.repeat(1_000),
    replaced: Buffer.from([0xff, 0xfe, 0x41, 0x80]).toString('utf8'),
    brackets: '['.repeat(100_000),
    'open maps': '{a: '.repeat(50_000),
    dashes: '- '.repeat(50_000),
    bomb: bomb.join('\n'),
    'colons and noise': '}: : ]{ % @ ` \t- &a *b !c | >\n'.repeat(2_000),
  }
  for (const [name, text] of Object.entries(texts)) {
    const started = performance.now()
    const { documents, problems } = parseDocuments(text, 'hostile.yaml')
    const took = performance.now() - started
    assert.deepEqual(documents, [], name)
    assert.ok(problems.length >= 1 && problems.length <= 11, `${name}: ${problems.length} problems`)
    assert.ok(
      problems.every(({ message }) => message.length < 250),
      name,
    )
    assert.ok(took < 3_000, `${name} took ${took} ms`)
  }
})
