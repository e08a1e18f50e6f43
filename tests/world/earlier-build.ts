import { spawnSync } from 'node:child_process'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import type { TestContext } from 'node:test'

const root = path.dirname(path.dirname(import.meta.dirname))
/** Where there is no release yet. */
const commitsBack = 30

/** A build of the project as it was: the last release, else some commits ago. */
export interface EarlierBuild {
  /** `dist/weft.js`. */
  readonly script: string
  /** For people: the tag or commit. */
  readonly name: string
}

/** Bundles it in a folder of its own, gone after the test. Skips aloud where the history does not reach so far back (a shallow clone). */
export function earlierBuild(t: TestContext): EarlierBuild | undefined {
  const tag = git('describe', '--tags', '--abbrev=0', '--match', 'v*', 'HEAD~1')
  const commit = tag ?? git('rev-parse', '--verify', '--quiet', `HEAD~${commitsBack}`)
  if (commit === undefined) {
    t.skip(`needs the project's history, ${commitsBack} commits back or to a release (git fetch --unshallow --tags)`)
    return undefined
  }
  const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'weft-earlier-'))
  t.after(() => fs.rmSync(dir, { recursive: true, force: true }))
  const archive = path.join(dir, 'source.tar')
  run('git', ['archive', '--format=tar', '-o', archive, commit], root)
  run('tar', ['-xf', archive], dir)
  fs.symlinkSync(path.join(root, 'node_modules'), path.join(dir, 'node_modules'))
  run(process.execPath, ['tools/generate-xds.mjs'], dir)
  run(process.execPath, ['tools/build.mjs'], dir)
  return { script: path.join(dir, 'dist/weft.js'), name: tag ?? commit.slice(0, 7) }
}

/** What it printed; undefined when it failed. */
function git(...args: readonly string[]): string | undefined {
  const { status, stdout } = spawnSync('git', args, { cwd: root, encoding: 'utf8' })
  return status === 0 && stdout.trim() !== '' ? stdout.trim() : undefined
}

function run(file: string, args: readonly string[], cwd: string): void {
  const { status, stderr, error } = spawnSync(file, args, { cwd, encoding: 'utf8' })
  if (status !== 0) throw new Error(`${file} ${args.join(' ')}: ${error?.message ?? stderr}`)
}
