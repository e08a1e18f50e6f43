// src → dist: one bundle per kind of process, shared code in chunks, so that a sidecar loads only what a sidecar needs.
import fs from 'node:fs'
import path from 'node:path'
import { build } from 'esbuild'

const root = path.dirname(import.meta.dirname)
const dist = path.join(root, 'dist')
const { version } = JSON.parse(fs.readFileSync(path.join(root, 'package.json'), 'utf8'))

fs.rmSync(dist, { recursive: true, force: true })
await build({
  absWorkingDir: root,
  entryPoints: {
    /** The command line, each command loaded on demand; `weft run` stays in this process as the agent. */
    weft: 'src/cli/weft.ts',
    /** The data plane process. */
    sidecar: 'src/proxy/sidecar.ts',
    /** Lives inside the network namespace of a program whose calls are caught. */
    'namespace-helper': 'src/agent/capture/namespace/helper.ts',
    /** An ordinary service of the demo, which knows nothing of Weft. */
    'demo-service': 'src/demo/service.ts',
  },
  outdir: dist,
  outExtension: { '.js': '.js' },
  bundle: true,
  splitting: true,
  platform: 'node',
  format: 'esm',
  target: 'node26',
  // Its CommonJS form, which Node would take, loses its names behind `await import('yaml')`.
  alias: { yaml: path.join(root, 'node_modules/yaml/browser/index.js') },
  sourcemap: true,
  sourcesContent: false,
  minifySyntax: true,
  // A process keeps the text of what it has loaded; with comments, whose signs are not all Latin-1, in two bytes a character.
  minifyWhitespace: true,
  lineLimit: 160,
  define: { 'process.env.WEFT_BUILD_VERSION': JSON.stringify(version) },
  // CommonJS dependencies call require() for Node's own modules.
  banner: {
    js: "import { createRequire as __createRequire } from 'node:module'; const require = __createRequire(import.meta.url);",
  },
  logLevel: 'warning',
})
fs.writeFileSync(path.join(dist, 'package.json'), '{ "type": "module" }\n')
