// A TLS server that says its name and what it was asked for: node tls-name.mjs NAME PORT KEY CERTIFICATE REPORT. Says when it listens.
import fs from 'node:fs'
import tls from 'node:tls'

const [name, port, key, certificate, report] = process.argv.slice(2)
const server = tls.createServer({ key: fs.readFileSync(key), cert: fs.readFileSync(certificate) }, (socket) => {
  socket.on('error', () => {})
  socket.end(`${name}: ${socket.servername}\n`)
})
server.listen(Number(port), '127.0.0.1', () => {
  fs.writeFileSync(`${report}.new`, JSON.stringify({ pid: process.pid, env: process.env }))
  fs.renameSync(`${report}.new`, report)
})
