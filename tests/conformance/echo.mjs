// Echo backend of the project's own cases: HTTP/1.1 on HTTP_PORT, answers every request with what it saw and who it is.
import http from 'node:http'

const { HTTP_PORT, NAMESPACE: namespace, SERVICE: service, POD_NAME: pod } = process.env

const server = http.createServer((request, response) => {
  request.resume()
  const { url: path, method } = request
  const { host, ...others } = request.headersDistinct
  response.setHeader('content-type', 'application/json')
  response.end(JSON.stringify({ path, method, host: host?.[0] ?? '', headers: others, namespace, service, pod }))
})
await new Promise((resolve) => server.listen(Number(HTTP_PORT), '127.0.0.1', resolve))
