import assert from 'node:assert/strict'
import fs from 'node:fs'
import path from 'node:path'
import { test } from 'node:test'

const document = path.join(import.meta.dirname, '../../../docs/envoy-api.md')

/** Message → fields that some decoder takes, as the decoders say it to `knowOnly`. */
function takenFields(): ReadonlyMap<string, readonly string[]> {
  const found = new Map<string, Set<string>>()
  const names = fs.globSync('decode-*.ts', { cwd: import.meta.dirname }).filter((name) => !name.endsWith('.test.ts'))
  const shared = /export const headerEditFields =\s*'([^']*)'/.exec(read('decode-header-edits.ts'))?.[1] ?? ''
  for (const name of names) {
    const text = read(name)
    const sets = new Map(
      Array.from(
        text.matchAll(/const (\w+) = fieldNames\(\s*['`]([^'`]*)['`],?\s*\)/g),
        ([, set = '', fields = '']) => [set, fields.replaceAll('${headerEditFields}', shared).trim().split(/\s+/)],
      ),
    )
    for (const [, schema = '', set = ''] of text.matchAll(/knowOnly\(\s*(\w+),\s*[\w.]+,\s*(\w+),/g)) {
      const original = new RegExp(`(\\w+) as ${schema}\\b`).exec(text)?.[1] ?? schema
      const message = original.replace(/Schema$/, '').replaceAll('_', '.')
      const fields = found.get(message) ?? new Set()
      for (const field of sets.get(set) ?? []) fields.add(field)
      found.set(message, fields)
    }
  }
  return new Map(Array.from(found, ([message, fields]) => [message, [...fields].toSorted()]))
}

const read = (name: string): string => fs.readFileSync(path.join(import.meta.dirname, name), 'utf8')

test('what the document says is taken is taken (WEFT_GOLDEN=update writes the table anew)', () => {
  const taken = takenFields()
  assert.ok(taken.size > 30, 'the decoders have moved')
  const start = '<!-- fields -->\n'
  let text = fs.readFileSync(document, 'utf8')
  if (process.env['WEFT_GOLDEN'] === 'update') {
    const rows = [...taken].filter(([, fields]) => fields.length > 0).toSorted(([a], [b]) => (a < b ? -1 : 1))
    const table = rows.map(([message, fields]) => `| \`${message}\` | ${fields.join(', ')} |\n`).join('')
    text = `${text.slice(0, text.indexOf(start) + start.length)}\n| message | fields |\n|---|---|\n${table}`
    fs.writeFileSync(document, text)
  }
  const rows = Array.from(text.matchAll(/^\| `([\w.]+)` \| (.*) \|$/gm))
  assert.ok(rows.length > 30)
  for (const [, message = '', fields = ''] of rows)
    for (const field of fields.split(', '))
      assert.ok(
        taken.get(message)?.includes(field) === true,
        `${message}.${field} is documented, and no decoder takes it`,
      )
})
