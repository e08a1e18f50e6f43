// Descriptor sets → TypeScript in src/xds/gen, by protoc-gen-es alone: no protoc, no buf, no network. A second.
// src/xds/envoy.binpb is Envoy's API 1.40, stripped of validation options (see src/xds/README.md for how to renew it);
// src/xds/weft.binpb is our own .proto files, compiled by `npm run gen:weft`.
import { spawnSync } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import { create, fromBinary, toBinary } from '@bufbuild/protobuf'
import {
  CodeGeneratorRequestSchema,
  CodeGeneratorResponseSchema,
  FileDescriptorSetSchema,
} from '@bufbuild/protobuf/wkt'

const root = path.dirname(import.meta.dirname)
const out = path.join(root, 'src/xds/gen')
const sets = ['envoy.binpb', 'weft.binpb'].map((name) => path.join(root, 'src/xds', name))
const plugin = path.join(root, 'node_modules/@bufbuild/protoc-gen-es/bin/protoc-gen-es')

const newest = Math.max(...[...sets, import.meta.filename, plugin].map((file) => fs.statSync(file).mtimeMs))
const stamp = path.join(out, '.stamp')
if (fs.existsSync(stamp) && fs.statSync(stamp).mtimeMs > newest) process.exit(0)

const seen = new Set()
const files = sets
  .flatMap((set) => fromBinary(FileDescriptorSetSchema, fs.readFileSync(set)).file)
  .filter((file) => !seen.has(file.name) && seen.add(file.name))
/** Well-known types come from the runtime, so that Any, Duration and the wrappers behave as they should. */
const isWellKnown = (file) => file.name.startsWith('google/protobuf/')

const request = create(CodeGeneratorRequestSchema, {
  parameter: 'target=ts,import_extension=ts,erasable_syntax=true',
  protoFile: files,
  fileToGenerate: files.filter((file) => !isWellKnown(file)).map((file) => file.name),
})
const run = spawnSync(process.execPath, [plugin], {
  input: toBinary(CodeGeneratorRequestSchema, request),
  maxBuffer: 1 << 28,
})
if (run.status !== 0) throw new Error(`protoc-gen-es failed: ${String(run.stderr)}`)
const response = fromBinary(CodeGeneratorResponseSchema, run.stdout)
if (response.error) throw new Error(response.error)

/** src/xds/file-descriptor.ts says why. */
function withOwnFileDesc({ name, content }) {
  const own = path.posix.relative(path.posix.dirname(`gen/${name}`), 'file-descriptor.ts')
  const changed = content.replace(
    /^import \{(.*)\bfileDesc\b,?(.*)\} from "@bufbuild\/protobuf\/codegenv2";$/m,
    (_, before, after) =>
      `import { fileDesc } from "${own}";\nimport {${before}${after}} from "@bufbuild/protobuf/codegenv2";`,
  )
  if (changed === content) throw new Error(`${name}: where is fileDesc imported?`)
  return changed
}

fs.rmSync(out, { recursive: true, force: true })
for (const file of response.file) {
  const to = path.join(out, file.name)
  fs.mkdirSync(path.dirname(to), { recursive: true })
  fs.writeFileSync(to, withOwnFileDesc(file))
}
fs.writeFileSync(stamp, '')
console.log(`generated ${response.file.length} files of xDS messages`)
