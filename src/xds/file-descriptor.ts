import type { DescFile } from '@bufbuild/protobuf'
import { fileDesc as libraryFileDesc, type GenFile } from '@bufbuild/protobuf/codegenv2'

/**
 * The descriptors of one .proto file, for the generated code in `gen/`, which calls this and not the library's own: that one walks the
 * imports of imports once for every way that leads to them, again for each file. With the hundred files of Envoy's API this was half of
 * a sidecar's start. A file sees the types of what it imports itself (there is no `import public` among them; a type that is missing
 * throws when the module loads).
 */
export function fileDesc(base64: string, imports: readonly DescFile[] = []): GenFile {
  const file = libraryFileDesc(base64, imports.map(withoutImports))
  return Object.assign(file, { dependencies: [...imports] })
}

const withoutImports = (file: DescFile): DescFile => ({ ...file, dependencies: [] })
