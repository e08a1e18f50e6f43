// Renews src/xds/envoy.binpb, the descriptor set of Envoy's API, on a bump of the API level only: `node tools/xds/renew-envoy.mjs v1.40.0`.
// The Go module go-control-plane embeds every descriptor; a small Go program (needs `go`) walks from roots.txt to all that they import.
// What is left after stripping is what the wire needs: no validation rules, no annotations. That halves what a process loads.
import { execFileSync } from 'node:child_process'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { create, fromBinary, isFieldSet, toBinary } from '@bufbuild/protobuf'
import { FieldOptionsSchema, FileDescriptorSetSchema, MessageOptionsSchema } from '@bufbuild/protobuf/wkt'

const version = process.argv[2]
if (!/^v\d+\.\d+\.\d+$/.test(version ?? ''))
  throw new Error('name the version of go-control-plane/envoy, such as v1.40.0')

const here = import.meta.dirname
const target = path.join(here, '../../src/xds/envoy.binpb')
const roots = fs.readFileSync(path.join(here, 'roots.txt'), 'utf8').split('\n').filter(Boolean)

const work = fs.mkdtempSync(path.join(os.tmpdir(), 'weft-xds-'))
try {
  fs.writeFileSync(path.join(work, 'main.go'), dumpProgram(roots))
  const go = (...args) =>
    execFileSync('go', args, { cwd: work, stdio: ['ignore', 'pipe', 'inherit'], maxBuffer: 1 << 28 })
  go('mod', 'init', 'dump')
  go('get', `github.com/envoyproxy/go-control-plane/envoy@${version}`, 'github.com/cncf/xds/go')
  go('mod', 'tidy')
  const set = strip(fromBinary(FileDescriptorSetSchema, go('run', '.')))
  fs.writeFileSync(target, toBinary(FileDescriptorSetSchema, set))
  console.log(`${target}: ${set.file.length} files`)
} finally {
  fs.rmSync(work, { recursive: true, force: true })
}

/** A Go program that writes the descriptors of `files` and all their imports to standard output. */
function dumpProgram(files) {
  const packages = new Set(files.map((file) => goPackage(path.posix.dirname(file))))
  return `package main

import (
	"os"

${[...packages].map((name) => `	_ "${name}"`).join('\n')}
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"
)

var set = &descriptorpb.FileDescriptorSet{}
var seen = map[string]bool{}

func add(file protoreflect.FileDescriptor) {
	if seen[file.Path()] {
		return
	}
	seen[file.Path()] = true
	for i := 0; i < file.Imports().Len(); i++ {
		add(file.Imports().Get(i).FileDescriptor)
	}
	set.File = append(set.File, protodesc.ToFileDescriptorProto(file))
}

func main() {
	for _, root := range ${'[]string{' + files.map((file) => JSON.stringify(file)).join(', ') + '}'} {
		file, err := protoregistry.GlobalFiles.FindFileByPath(root)
		if err != nil {
			panic(root + ": " + err.Error())
		}
		add(file)
	}
	bytes, err := proto.MarshalOptions{Deterministic: true}.Marshal(set)
	if err != nil {
		panic(err)
	}
	os.Stdout.Write(bytes)
}
`
}

/** envoy/… lives in go-control-plane, opentelemetry/… in its own module, udpa/… and xds/… in cncf/xds. */
function goPackage(folder) {
  if (folder.startsWith('opentelemetry/proto/'))
    return `go.opentelemetry.io/proto/otlp/${folder.slice('opentelemetry/proto/'.length)}`
  return folder.startsWith('envoy/')
    ? `github.com/envoyproxy/go-control-plane/${folder}`
    : `github.com/cncf/xds/go/${folder}`
}

/** Drops every option but deprecated, packed and map_entry, and the files that only declare options. */
function strip(set) {
  const optionsOnly =
    /^(validate|udpa\/annotations|envoy\/annotations|xds\/annotations)\/|^google\/api\/(annotations|http)\.proto$|^google\/protobuf\/descriptor\.proto$/
  // Only what is really set: these are proto2 messages, whose unset fields read as defaults (an explicit packed=false would change the wire).
  const keep = (schema, options, names) => {
    const kept = options ? names.filter((name) => isFieldSet(options, schema.field[name])) : []
    return kept.length > 0 ? create(schema, Object.fromEntries(kept.map((name) => [name, options[name]]))) : undefined
  }
  const stripEnum = (type) => {
    type.options = undefined
    for (const value of type.value) value.options = undefined
  }
  const stripMessage = (type) => {
    type.options = keep(MessageOptionsSchema, type.options, ['mapEntry', 'deprecated'])
    for (const field of type.field) field.options = keep(FieldOptionsSchema, field.options, ['deprecated', 'packed'])
    for (const oneof of type.oneofDecl) oneof.options = undefined
    type.nestedType.forEach(stripMessage)
    type.enumType.forEach(stripEnum)
  }
  set.file = set.file.filter((file) => !optionsOnly.test(file.name))
  for (const file of set.file) {
    file.dependency = file.dependency.filter((name) => !optionsOnly.test(name))
    file.publicDependency = []
    file.weakDependency = []
    file.options = undefined
    file.sourceCodeInfo = undefined
    file.messageType.forEach(stripMessage)
    file.enumType.forEach(stripEnum)
    for (const service of file.service) {
      service.options = undefined
      for (const method of service.method) method.options = undefined
    }
  }
  return set
}
