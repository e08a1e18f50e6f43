// `npm test`: build, types, lint, then every test; `--long` adds what takes more than minutes. Arguments name test files.
import { spawnSync } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'

const root = path.dirname(import.meta.dirname)
const bin = (name) => path.join(root, 'node_modules/.bin', name)
const long = process.argv.includes('--long')
const named = process.argv
  .slice(2)
  .filter((argument) => !argument.startsWith('--'))
  .flatMap((place) =>
    fs.statSync(place).isDirectory() ? fs.globSync(`${place.replace(/\/$/, '')}/**/*.test.ts`) : [place],
  )

/** Ends the whole run at the first step that fails, with its own exit status. */
function step(title, command, args) {
  console.log(`\n# ${title}`)
  const { status } = spawnSync(command, args, { cwd: root, stdio: 'inherit' })
  if (status !== 0) process.exit(status ?? 1)
}

const testFiles = ['src', 'tests']
  .flatMap((folder) => fs.globSync(`${folder}/**/*.test.ts`, { cwd: root }))
  .filter((file) => long || !file.endsWith('.long.test.ts'))
  .toSorted((a, b) => a.localeCompare(b))

if (named.length === 0) {
  step('build', process.execPath, ['tools/generate-xds.mjs'])
  step('bundle', process.execPath, ['tools/build.mjs'])
  step('types', bin('tsc'), ['--noEmit'])
  step('lint', bin('oxlint'), ['--type-aware'])
  step('format', bin('oxfmt'), ['--check'])
}
step('tests', process.execPath, [
  '--test',
  '--test-concurrency=2',
  `--test-timeout=${long ? 3_600_000 : 180_000}`,
  ...(named.length > 0 ? named : testFiles),
])
