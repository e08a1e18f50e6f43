import fs from 'node:fs'
import { fileURLToPath } from 'node:url'

/** Files that the demo starts or reads: of the build when that runs, else the sources. */
export interface DemoFiles {
  readonly weft: string
  /** The command as people type it: it finds a Node that is new enough. */
  readonly launcher: string
  readonly service: string
  /** With a slash at the end. */
  readonly examples: string
}

/** Throws when an installation lacks one of them. */
export function demoFiles(): DemoFiles {
  const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url))
  const built = fs.existsSync(here('./demo-service.js'))
  const files = built
    ? {
        weft: here('./weft.js'),
        launcher: here('../bin/weft'),
        service: here('./demo-service.js'),
        examples: here('../examples/'),
      }
    : {
        weft: here('../cli/weft.ts'),
        launcher: here('../../bin/weft'),
        service: here('./service.ts'),
        examples: here('../../examples/'),
      }
  for (const file of Object.values(files))
    if (!fs.existsSync(file)) throw new Error(`${file} is missing: run "npm run build"`)
  return files
}
