import assert from 'node:assert/strict'
import fs from 'node:fs'
import path from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'

/**
 * One test for each `NAME.in.yaml` in `folder`: what `translate` makes of its text must equal `NAME.out.yaml`, to the letter.
 * `WEFT_GOLDEN=update` rewrites the right-hand files instead; review reads the diff.
 */
export function golden(folder: URL, translate: (text: string, name: string) => string | Promise<string>): void {
  const dir = fileURLToPath(folder)
  const inputs = fs.readdirSync(dir).filter((name) => name.endsWith('.in.yaml'))
  assert.notEqual(inputs.length, 0, `no *.in.yaml in ${dir}`)
  for (const input of inputs) {
    const name = input.replace(/\.in\.yaml$/, '')
    const output = path.join(dir, `${name}.out.yaml`)
    test(name, async () => {
      const actual = await translate(fs.readFileSync(path.join(dir, input), 'utf8'), name)
      if (process.env['WEFT_GOLDEN'] === 'update') return fs.writeFileSync(output, actual)
      assert.equal(actual, fs.readFileSync(output, 'utf8'))
    })
  }
}
