import fs from 'node:fs'
import path from 'node:path'

const root = path.dirname(path.dirname(import.meta.dirname))

/** The commands of a section (of the second level) of a Markdown file of the project, block by block, as a reader would copy them. */
export function readmeBlocks(file: string, section: string): readonly string[] {
  const [, text = ''] = fs.readFileSync(path.join(root, file), 'utf8').split(`\n## ${section}\n`)
  const [own = ''] = text.split('\n## ')
  return Array.from(own.matchAll(/(?:^ {4}.*\n)+/gm), ([block]) => block.replaceAll(/^ {4}/gm, ''))
}
