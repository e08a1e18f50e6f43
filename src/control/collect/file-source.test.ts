import assert from 'node:assert/strict'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { afterEach, test } from 'node:test'
import { systemClock } from '../../base/clock.ts'
import { silentLog } from '../../base/log.ts'
import type { Watchable } from '../../base/watchable.ts'
import { watchFiles, type FileSource } from './file-source.ts'

const cleanUp: (() => void)[] = []
afterEach(() => cleanUp.splice(0).forEach((one) => one()))

function folder(): string {
  const made = fs.mkdtempSync(path.join(os.tmpdir(), 'weft-files-'))
  cleanUp.push(() => fs.rmSync(made, { recursive: true, force: true }))
  return made
}
function watching(...paths: string[]): FileSource {
  const source = watchFiles({ paths, clock: systemClock, log: silentLog })
  cleanUp.push(() => source.close())
  return source
}
const service = (name: string): string =>
  `apiVersion: v1\nkind: Service\nmetadata: { name: ${name} }\nspec: { ports: [{ port: 80 }] }\n`
const names = (source: FileSource): string[] =>
  source.documents.value.map(({ value }) => (value as { metadata: { name: string } }).metadata.name)
const messages = (source: FileSource): string => source.problems.value.map(({ message }) => message).join('\n')

/** Resolves as soon as `good` holds; the test's own time limit is the only one. */
function until<T>(watchable: Watchable<T>, good: (value: T) => boolean): Promise<void> {
  return new Promise((resolve) => {
    if (good(watchable.value)) return resolve()
    const stop = watchable.watch((value) => {
      if (!good(value)) return
      stop()
      resolve()
    })
  })
}
const limit = { timeout: 20_000 }

test('files and directories are read at once, deep and sorted; other files are passed over', () => {
  const dir = folder()
  fs.mkdirSync(path.join(dir, 'deep/er'), { recursive: true })
  fs.writeFileSync(path.join(dir, 'b.yaml'), service('b'))
  fs.writeFileSync(path.join(dir, 'a.yml'), service('a'))
  fs.writeFileSync(
    path.join(dir, 'deep/er/c.json'),
    JSON.stringify({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'c' } }),
  )
  fs.writeFileSync(path.join(dir, 'notes.txt'), 'not: [ours')
  fs.writeFileSync(path.join(dir, '.hidden.yaml'), 'not: [ours')
  fs.symlinkSync(dir, path.join(dir, 'deep/loop'))
  const source = watching(dir)
  assert.deepEqual(names(source), ['a', 'b', 'c'])
  assert.deepEqual(source.problems.value, [])
  assert.deepEqual(source.documents.value[1]?.place('spec.ports'), { file: path.join(dir, 'b.yaml'), line: 4 })
})

test('what is wrong at the start is told at the start, all of it', () => {
  const dir = folder()
  const bad = path.join(dir, 'bad.yaml')
  fs.writeFileSync(bad, `${service('x')}---\n${service('y').replace('ports', 'prots')}`)
  const source = watching(bad, path.join(dir, 'none.yaml'))
  assert.match(messages(source), /does not exist/)
  assert.match(messages(source), /did you mean "ports"/)
  assert.equal(source.problems.value.find(({ field }) => field.includes('prots'))?.place?.line, 9)
  assert.deepEqual(names(source), [])
})

test('a changed file is taken up; a broken one keeps what was; a mended one counts again', limit, async () => {
  const dir = folder()
  const file = path.join(dir, 'a.yaml')
  fs.writeFileSync(file, service('one'))
  const source = watching(file)
  fs.writeFileSync(file, service('two'))
  await until(source.documents, () => names(source).join() === 'two')
  fs.writeFileSync(file, service('three').replace('kind: Service', 'kind: Servise'))
  await until(source.problems, (problems) => problems.length > 0)
  assert.match(messages(source), /did you mean.*stays in force/)
  assert.deepEqual(names(source), ['two'])
  fs.writeFileSync(file, '')
  await until(source.problems, () => messages(source).includes('is empty now'))
  assert.deepEqual(names(source), ['two'])
  // As editors do: a new file takes the place of the old one.
  fs.writeFileSync(`${file}.new`, service('four'))
  fs.renameSync(`${file}.new`, file)
  await until(source.documents, () => names(source).join() === 'four')
  await until(source.problems, (problems) => problems.length === 0)
})

test('a named file that vanishes stays in force, and says so, until it comes back', limit, async () => {
  const dir = folder()
  const file = path.join(dir, 'a.yaml')
  fs.writeFileSync(file, service('one'))
  const source = watching(file)
  fs.rmSync(file)
  await until(source.problems, (problems) => problems.length > 0)
  assert.match(
    messages(source),
    /has vanished; its resources stay in force until it comes back or the control plane restarts/,
  )
  assert.deepEqual(names(source), ['one'])
  fs.writeFileSync(file, service('two'))
  await until(source.documents, () => names(source).join() === 'two')
  await until(source.problems, (problems) => problems.length === 0)
})

test(
  'a file deleted from a watched directory takes its resources with it; a new one is found, also deeper',
  limit,
  async () => {
    const dir = folder()
    fs.writeFileSync(path.join(dir, 'a.yaml'), service('a'))
    fs.writeFileSync(path.join(dir, 'b.yaml'), service('b'))
    const source = watching(dir)
    fs.rmSync(path.join(dir, 'a.yaml'))
    await until(source.documents, () => names(source).join() === 'b')
    assert.deepEqual(source.problems.value, [])
    fs.mkdirSync(path.join(dir, 'more'))
    fs.writeFileSync(path.join(dir, 'more/c.yaml'), service('c'))
    await until(source.documents, () => names(source).join() === 'b,c')
    fs.rmSync(dir, { recursive: true })
    await until(source.problems, () => messages(source).includes('has vanished'))
    assert.deepEqual(names(source), ['b', 'c'])
  },
)
