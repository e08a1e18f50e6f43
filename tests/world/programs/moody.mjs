// A program that falls ill when it is told to: node moody.mjs NAME PORT REPORT
// PUT /mood/well|503|slow|hole|reset|broken, and GET /taken: how many other requests came. All else is answered by the mood.
import fs from 'node:fs'
import http from 'node:http'

const [name, port, report] = process.argv.slice(2)
let mood = 'well'
let taken = 0

http
  .createServer((request, response) => {
    const [, what, value] = request.url.split('/')
    if (what === 'mood') return response.end((mood = value))
    if (what === 'taken') return response.end(String(taken))
    taken++
    switch (mood) {
      case '503':
        response.statusCode = 503
        return response.end('not today')
      case 'slow':
        return setTimeout(() => response.end(name), 200)
      case 'hole':
        return undefined
      case 'reset':
        return request.socket.resetAndDestroy()
      case 'broken':
        // Half of it.
        response.setHeader('content-length', 100)
        response.write('x'.repeat(50), () => request.socket.destroy())
        return undefined
      default:
        return response.end(name)
    }
  })
  .listen(Number(port), '127.0.0.1', () => {
    fs.writeFileSync(`${report}.new`, JSON.stringify({ pid: process.pid, env: process.env }))
    fs.renameSync(`${report}.new`, report)
  })
