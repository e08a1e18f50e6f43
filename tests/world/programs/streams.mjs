// An ordinary program with long-lived connections: GET answers "ok", an HTTP upgrade and the second port give back every byte.
//   node streams.mjs PORT TCPPORT REPORT
import fs from 'node:fs'
import http from 'node:http'
import net from 'node:net'

const [port, tcpPort, report] = process.argv.slice(2)
const server = http.createServer((_, response) => response.end('ok'))
server.on('upgrade', (_, socket, head) => {
  socket.write('HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n')
  socket.write(head)
  socket.on('error', () => {}).pipe(socket)
})
const raw = net.createServer((socket) => socket.on('error', () => {}).pipe(socket))
server.listen(Number(port), '127.0.0.1', () =>
  raw.listen(Number(tcpPort), '127.0.0.1', () => {
    fs.writeFileSync(`${report}.new`, JSON.stringify({ pid: process.pid, env: process.env }))
    fs.renameSync(`${report}.new`, report)
  }),
)
process.on('SIGTERM', () => process.exit(0))
