// `npm test`: build, types, lint, then every test; `--long` adds what takes more than minutes. Arguments name test files.
import { spawn } from 'node:child_process'
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
async function step(title, command, args) {
  console.log(`\n# ${title}`)
  const child = spawn(command, args, { cwd: root, stdio: 'inherit' })
  // Whoever ends the run ends the step; it knows what it has started.
  const pass = (signal) => child.kill(signal)
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, pass)
  const status = await new Promise((resolve) => child.once('exit', resolve))
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.off(signal, pass)
  if (status !== 0) process.exit(status ?? 1)
}

const testFiles = ['src', 'tests']
  .flatMap((folder) => fs.globSync(`${folder}/**/*.test.ts`, { cwd: root }))
  .filter((file) => long || !file.endsWith('.long.test.ts'))
  .toSorted((a, b) => a.localeCompare(b))

if (named.length === 0) {
  await step('build', process.execPath, ['tools/generate-xds.mjs'])
  await step('bundle', process.execPath, ['tools/build.mjs'])
  await step('types', bin('tsc'), ['--noEmit'])
  await step('lint', bin('oxlint'), ['--type-aware'])
  await step('format', bin('oxfmt'), ['--check'])
}
await step('tests', process.execPath, [
  '--import',
  path.join(import.meta.dirname, 'cache-compiled.mjs'),
  '--test',
  '--test-concurrency=2',
  `--test-timeout=${long ? 3_600_000 : 180_000}`,
  ...(named.length > 0 ? named : testFiles),
])
