import assert from 'node:assert/strict'
import fs from 'node:fs'
import { test } from 'node:test'
import { formatProblem } from '../../base/problem.ts'
import { readProcessFile } from './process-file.ts'

const read = (text: string) => readProcessFile({ file: 'p.yaml', text }, { wait: true })
const problemsOf = (text: string): readonly string[] => {
  const result = read(text)
  return 'problems' in result ? result.problems.map(formatProblem) : []
}

test('the example is right, and means what weft run would be told', () => {
  const file = new URL('../../../examples/processes.yaml', import.meta.url)
  const result = read(fs.readFileSync(file, 'utf8'))
  assert.ok('processes' in result, JSON.stringify(result))
  const [prepare, catalog, visitor] = result.processes
  assert.deepEqual(
    [prepare?.options.service, prepare?.options.restart, prepare?.options.ports, prepare?.dependsOn],
    ['prepare', 'no', [], []],
  )
  assert.deepEqual(catalog?.options.command.slice(0, 4), ['python3', '-m', 'http.server', '8081'])
  assert.deepEqual(catalog?.options.ports, [{ servicePort: 80, targetPort: 8081, protocol: 'http' }])
  assert.deepEqual(catalog?.options.readiness.checks, [{ kind: 'http', port: 8081, path: '/index.html' }])
  assert.deepEqual(catalog?.options.labels, { version: 'v1' })
  assert.deepEqual(catalog?.dependsOn, [{ name: 'prepare', condition: 'completed' }])
  assert.deepEqual(visitor?.env, { WHERE: 'http://catalog/' })
  assert.deepEqual(visitor?.dependsOn, [{ name: 'catalog', condition: 'ready' }])
})

test('every mistake is told with file, line and field', () => {
  const problems = problemsOf(`processes:
  - name: Web
    command: []
    ports: [8080, eighty]
  - name: api
    command: [./api]
    restart: sometimes
    ready: [8080]
    readyInterval: soon
    comand: x
    dependsOn: [{ name: web, condition: healthy }]
`)
  assert.deepEqual(
    problems.map((one) => /^p\.yaml:(\d+): ([^:]+):/.exec(one)?.slice(1)),
    [
      ['2', 'processes[0].name'],
      ['3', 'processes[0].command'],
      ['4', 'processes[0].ports[1]'],
      ['10', 'processes[1].comand'],
      ['7', 'processes[1].restart'],
      ['8', 'processes[1].ready[0]'],
      ['9', 'processes[1].readyInterval'],
      ['11', 'processes[1].dependsOn[0].condition'],
    ],
    problems.join('\n'),
  )
})

const between: readonly [string, string, RegExp][] = [
  ['a name twice', '- { name: a, command: [x] }\n- { name: a, command: [x] }', /p\.yaml:3: .*\[1\]\.name: a is there/],
  ['an unknown name', '- { name: a, command: [x], dependsOn: [b] }', /dependsOn\[0\]: there is no process b here/],
  ['itself', '- { name: a, command: [x], dependsOn: [a] }', /a process cannot wait for itself/],
  [
    'a circle',
    '- { name: c, command: [x], dependsOn: [a] }\n- { name: a, command: [x], dependsOn: [b] }\n- { name: b, command: [x], dependsOn: [a] }',
    /p\.yaml:3: processes\[1\]\.dependsOn: they wait for one another: a → b → a/,
  ],
  [
    'a port twice',
    '- { name: a, command: [x], ports: [80, 80=81] }',
    /processes\[0\]: --port: service port 80 is given/,
  ],
]
for (const [what, text, why] of between)
  test(`what is wrong between processes: ${what}`, () =>
    assert.match(problemsOf(`processes:\n${text}`).join('\n'), why))

test('what is no process file', () => {
  assert.match(problemsOf('').join(), /p\.yaml: is empty/)
  assert.match(problemsOf('processes: []').join(), /from 1 to 256 items/)
  assert.match(problemsOf('processes: [').join(), /p\.yaml:\d+: document: /)
  assert.match(problemsOf('processes: [{ name: a, command: [x] }]\n---\nprocesses: []').join(), /one file is one set/)
})
