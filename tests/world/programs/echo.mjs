// An ordinary program: answers every request with what it saw. Knows nothing of Weft.
//   node echo.mjs NAME PORT REPORT     PORT 0: serves nothing, a client only
// Writes what it was given (environment, process) to REPORT once it is up. /status/503 answers 503, /slow/250 after 250 ms,
// /bytes/1000 with that many bytes; /call?url=… asks another service, through HTTP_PROXY as any program would, and passes the answer on; what
// belongs to the call that it serves (its ID, its deadline) it copies, as programs do for traces.
import fs from 'node:fs'
import http from 'node:http'

const [name, port, report, host = '127.0.0.1'] = process.argv.slice(2)
const started = () => {
  const text = JSON.stringify({ pid: process.pid, env: process.env })
  fs.writeFileSync(`${report}.new`, text)
  fs.renameSync(`${report}.new`, report)
}

/** Method, path, Host and bytes of the body of the last requests; /seen tells them. */
const seen = []
const server = http.createServer(async (request, response) => {
  const url = new URL(request.url, 'http://self')
  const [, what, value] = url.pathname.split('/')
  const chunks = []
  for await (const chunk of request) chunks.push(chunk)
  if (what === 'seen') return response.end(JSON.stringify({ seen }))
  const bytes = chunks.reduce((sum, chunk) => sum + chunk.length, 0)
  seen.push(`${request.method} ${request.url} ${request.headers.host} ${bytes}`)
  if (seen.length > 100) seen.shift()
  if (what === 'slow') await new Promise((resolve) => setTimeout(resolve, Number(value)))
  if (what === 'bytes') return response.end(Buffer.alloc(Number(value), 'x'))
  if (what === 'call') return call(url.searchParams.get('url'), request, response)
  response.statusCode = what === 'status' ? Number(value) : 200
  response.setHeader('content-type', 'application/json')
  response.end(
    JSON.stringify({
      name,
      pid: process.pid,
      method: request.method,
      path: request.url,
      headers: request.headers,
      body: Buffer.concat(chunks).toString('latin1'),
    }),
  )
})

function call(url, { headers: served }, response) {
  const proxy = new URL(process.env.HTTP_PROXY)
  const headers = { host: new URL(url).host }
  for (const name of ['x-request-id', 'x-envoy-expected-rq-timeout-ms', 'traceparent', 'tracestate'])
    if (name in served) headers[name] = served[name]
  http
    .request({ host: proxy.hostname, port: proxy.port, path: url, headers }, (answer) => {
      response.statusCode = answer.statusCode
      answer.pipe(response)
    })
    .on('error', (error) => {
      response.statusCode = 599
      response.end(error.message)
    })
    .end()
}

const stop = () => {
  server.close(() => process.exit(0))
  server.closeIdleConnections()
  setTimeout(() => process.exit(0), 2000).unref()
  if (port === '0') process.exit(0)
}
process.on('SIGTERM', stop)
process.on('SIGINT', stop)

if (port === '0') {
  setInterval(() => {}, 1 << 30)
  started()
} else server.listen(Number(port), host, started)
