// One pod: the echo backend of the case folder, with its environment as arguments; says when it listens.
//   node backend.mjs ECHO REPORT NAME=VALUE…
import fs from 'node:fs'
import { pathToFileURL } from 'node:url'

const [echo, report, ...settings] = process.argv.slice(2)
for (const setting of settings) {
  const mark = setting.indexOf('=')
  process.env[setting.slice(0, mark)] = setting.slice(mark + 1)
}
await import(pathToFileURL(echo).href)
fs.writeFileSync(`${report}.new`, JSON.stringify({ pid: process.pid, env: process.env }))
fs.renameSync(`${report}.new`, report)
