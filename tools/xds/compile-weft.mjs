// Compiles our own .proto files to src/xds/weft.binpb after they were edited: `npm run gen:weft`. Needs Python with grpcio-tools
// (PYTHON names the interpreter), which carries protoc; everybody else needs only the committed result.
import { execFileSync } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'

const xds = path.join(import.meta.dirname, '../../src/xds')
const protos = fs.globSync('weft/**/*.proto', { cwd: path.join(xds, 'proto') }).sort((a, b) => a.localeCompare(b))
const protoc = ['-m', 'grpc_tools.protoc', '-I.', '--include_imports', '--descriptor_set_out=../weft.binpb', ...protos]
execFileSync(process.env.PYTHON ?? 'python3', protoc, { cwd: path.join(xds, 'proto'), stdio: 'inherit' })
console.log(`src/xds/weft.binpb: ${protos.join(', ')}`)
