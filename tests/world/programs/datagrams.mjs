// Answers every datagram with its name and the datagram: node datagrams.mjs NAME PORT REPORT. Says when it listens.
import dgram from 'node:dgram'
import fs from 'node:fs'

const [name, port, report] = process.argv.slice(2)
const socket = dgram.createSocket('udp4')
socket.on('message', (datagram, from) => socket.send(`${name}: ${datagram.toString()}`, from.port, from.address))
socket.bind(Number(port), '127.0.0.1', () => {
  fs.writeFileSync(`${report}.new`, JSON.stringify({ pid: process.pid, env: process.env }))
  fs.renameSync(`${report}.new`, report)
})
