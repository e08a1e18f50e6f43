import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createWorld } from '../world/world.ts'
import { startBareProxy } from './bare-proxy.ts'
import { credulous, exchange, statuses, type Asked } from './raw-exchange.ts'

const head = (...lines: readonly string[]): string => `${lines.join('\r\n')}\r\n\r\n`
const get = (target: string, ...more: readonly string[]): string => head(`GET ${target} HTTP/1.1`, 'Host: web', ...more)
const post = (...more: readonly string[]): string => head('POST /a HTTP/1.1', 'Host: web', ...more)
/** What must never be answered, nor reach the program. */
const smuggled = 'GET /smuggled HTTP/1.1\r\nHost: web\r\n\r\n'
const chunked = 'Transfer-Encoding: chunked'

/** By the number of its class: bytes that some proxy read in one way and some program in another. Each is refused, and ends the connection. */
const ambiguous: Readonly<Record<string, readonly string[]>> = {
  '1 two framings': [
    `${post('Content-Length: 6', chunked)}0\r\n\r\n${smuggled}`,
    `${post(chunked, 'Content-Length: 6')}0\r\n\r\n${smuggled}`,
    `${head('POST /a HTTP/1.0', 'Host: web', 'Content-Length: 6', chunked)}0\r\n\r\n${smuggled}`,
    `${get('/a', 'Content-Length: 6', chunked)}0\r\n\r\n${smuggled}`,
  ],
  '2 obfuscated transfer coding': [
    ...['chunked,', ' , chunked', 'xchunked', 'chunked, identity', 'identity, chunked', 'chunked\x0b', '"chunked"'].map(
      (coding) => `${post(`Transfer-Encoding: ${coding}`, 'Content-Length: 3')}0\r\n\r\n${smuggled}`,
    ),
    `${post('Transfer-Encoding:\x0bchunked')}0\r\n\r\n${smuggled}`,
    `${post('Transfer-Encoding', ' : chunked', 'Content-Length: 3')}0\r\n\r\n${smuggled}`,
  ],
  '3 odd lengths': ['+5', '-0', '0x5', '5, 5', '5 5', '', '9007199254740993', '18446744073709551621', '1e1'].map(
    (length) => `${post(`Content-Length: ${length}`)}hello${smuggled}`,
  ),
  '3 lengths in two cases': [`${post('content-length: 0', 'CONTENT-LENGTH: 41')}${smuggled}`],
  '4 line ends': [
    `GET /a HTTP/1.1\nHost: web\n\n${smuggled}`,
    `GET /a HTTP/1.1\r\nHost: web\r\nX: a\nContent-Length: 41\r\n\r\n${smuggled}`,
    `GET /a HTTP/1.1\r\nHost: web\r\nX: a\rContent-Length: 41\r\n\r\n${smuggled}`,
    `GET /a HTTP/1.1\r\nHost: web\r\r\n\r\n${smuggled}`,
  ],
  '5 folded lines': [
    `${get('/a', 'X: a', ' Content-Length: 41')}${smuggled}`,
    `${post('Transfer-Encoding:', ' chunked')}0\r\n\r\n${smuggled}`,
    `GET /a HTTP/1.1\r\n Host: web\r\nHost: web\r\n\r\n${smuggled}`,
  ],
  '6 line ends in chunk extensions': [
    `${post(chunked)}5;a\nGET /x\r\nhello\r\n0\r\n\r\n${smuggled}`,
    `${post(chunked)}5\nhello\r\n0\r\n\r\n${smuggled}`,
    `${post(chunked)}5;a\rb\r\nhello\r\n0\r\n\r\n${smuggled}`,
  ],
  '7 extensions without end': [`${post(chunked)}1;${'a'.repeat(2_000_000)}`],
  '7 zeros without end': [`${post(chunked)}${'0'.repeat(100_000)}`],
  '8 space before the colon': [
    `${post('Content-Length : 41')}${smuggled}`,
    `${post('Transfer-Encoding\t: chunked')}0\r\n\r\n${smuggled}`,
  ],
  '9 empty names': [`${get('/a', ': x', 'x-role: evil')}${smuggled}`],
  '10 NUL and controls': ['\0', '\x01', '\x08', '\x7f'].flatMap((odd) => [
    get('/a', `X: a${odd}b`),
    get('/a', `X${odd}: a`),
    get(`/a${odd}`),
  ]),
  '12 several hosts': [
    get('/a', 'Host: admin'),
    get('/a', 'Host: web'),
    head('GET /a HTTP/1.1', 'Host: web, admin'),
    head('GET /a HTTP/1.1', 'Host: admin@web'),
    head('GET http://admin@web/a HTTP/1.1', 'Host: web'),
    head('GET /a HTTP/1.1', 'Host:'),
    head('GET /a HTTP/1.1'),
  ],
  '13 a host with an empty port': [head('GET /a HTTP/1.1', 'Host: web:')],
  '15 parameters in dot segments': [get('/x/..;/admin'), get('/x/..;a=b/admin'), get('/x/%2e%2e;/admin')],
  '14 escapes that programs read differently': [get('/x%2f..%2fadmin'), get('/x%5c..%5cadmin'), get('/x\\..\\admin')],
  '16 fragments': [get('/a#/../admin'), head('GET http://web/a#b HTTP/1.1', 'Host: web')],
  '17 a path without its slash': [get('admin'), get('pkg.Svc/M')],
  '26 bytes behind a CONNECT': [`CONNECT web:80 HTTP/1.1\r\nHost: web:80\r\n\r\n${smuggled}`],
  '30 trailers that frame': [`${post(chunked)}0\r\nContent-Length : 41\r\n\r\n${smuggled}`],
}

test('what may be read in more than one way is refused, and nothing of it reaches the program', async (t) => {
  const { at, asked } = await credulous(t)
  const proxy = await startBareProxy(createWorld(t), at)
  for (const [what, messages] of Object.entries(ambiguous)) {
    for (const message of messages) {
      const answer = await exchange(t, proxy.at, message)
      const [status = 0, ...more] = statuses(answer)
      const shown = `${what}: ${JSON.stringify(message.slice(0, 120))} → ${answer.slice(0, 300)}`
      assert.equal(status, what.startsWith('26') ? 404 : 400, shown)
      assert.deepEqual(more, [], shown)
    }
  }
  assert.deepEqual(asked, [])
  await stillServes(proxy.at)
  assert.ok(proxy.child.isRunning)

  async function stillServes(to: typeof at): Promise<void> {
    assert.deepEqual(statuses(await exchange(t, to, get('/good', 'Connection: close'))), [200])
    assert.deepEqual(
      asked.map(({ line }) => line),
      ['GET /good'],
    )
  }
})

const rule = (permissions: readonly object[]): object => ({
  name: 'rbac',
  typed_config: {
    '@type': 'type.googleapis.com/envoy.extensions.filters.http.rbac.v3.RBAC',
    rules: { action: 'DENY', policies: { guard: { permissions, principals: [{ any: true }] } } },
  },
})
const guard = rule([
  { url_path: { path: { prefix: '/admin' } } },
  { header: { name: ':authority', string_match: { exact: 'admin.test' } } },
  { header: { name: 'x-role', string_match: { exact: 'evil' } } },
  { header: { name: 'x-pass', string_match: { exact: 'good' }, invert_match: true } },
])
const pass = 'X-Pass: good'

/** What a deny rule must catch however it is written: 403, or 400 where it can be read in two ways. */
const evasions: Readonly<Record<string, readonly string[]>> = {
  '12 the target outweighs Host': [head('GET http://admin.test/a HTTP/1.1', 'Host: web', pass)],
  '13 host by case and port': ['ADMIN.test', 'admin.test.', 'Admin.Test.'].map((host) =>
    head('GET /a HTTP/1.1', `Host: ${host}`, pass),
  ),
  '14 the path in other words': [
    '/admin',
    '//admin',
    '/./admin',
    '/x/../admin',
    '/%61dmin',
    '/%61%64min/x',
    '/x/%2e%2e/admin',
    '/x/.%2E/admin',
    '/admin/../admin/',
    '/admin;v=1',
    '/admin?x',
    '/admin/%2e',
  ].map((path) => get(path, pass)),
  '18 one header several times': [
    get('/a', pass, 'X-Role: evil', 'X-Role: good'),
    get('/a', pass, 'X-Role: good', 'X-Role: evil'),
    get('/a', pass, 'X-Role: good, evil'),
    get('/a', pass, 'X-Role:', 'X-Role: evil'),
    get('/a', pass, 'x-ROLE:\t evil \t'),
  ],
  '19 a negative match that cannot be decided': [
    get('/a', 'X-Pass:'),
    get('/a', 'X-Pass: \xff\xfe'),
    get('/a', 'X-Pass: good', 'X-Pass: bad'),
    get('/a', `X-Pass: ${'a'.repeat(50_000)}`),
  ],
}

test('a deny rule cannot be got round by spelling', async (t) => {
  const { at, asked } = await credulous(t)
  const proxy = await startBareProxy(createWorld(t), at, { filters: [guard] })
  assert.deepEqual(statuses(await exchange(t, proxy.at, get('/a', pass, 'Connection: close'))), [200])
  asked.length = 0
  for (const [what, messages] of Object.entries(evasions)) {
    for (const message of messages) {
      const answer = await exchange(t, proxy.at, message)
      const [status = 0, ...more] = statuses(answer)
      const shown = `${what}: ${JSON.stringify(message.slice(0, 120))} → ${answer.slice(0, 300)}`
      assert.ok(status === 400 || status === 403, shown)
      assert.deepEqual(more, [], shown)
    }
  }
  assert.deepEqual(asked, [])
  assert.ok(proxy.child.isRunning)
})

const values = ({ headers }: Asked, name: string): readonly string[] =>
  headers.filter((_, index) => index % 2 === 1 && headers[index - 1]?.toLowerCase().replaceAll('_', '-') === name)

test('what passes, passes in one form: nobody else says who a caller is, no hop is upgraded, lengths stay', async (t) => {
  const { at, asked } = await credulous(t)
  const proxy = await startBareProxy(createWorld(t), at)
  const ask = async (message: string): Promise<Asked> => {
    asked.length = 0
    const answer = await exchange(t, proxy.at, message)
    assert.deepEqual(statuses(answer), [200], `${JSON.stringify(message.slice(0, 100))} → ${answer}`)
    const [one, ...more] = asked
    assert.deepEqual(more, [])
    return one ?? assert.fail('nothing was asked')
  }
  const close = 'Connection: close'
  // 11 and 44: programs that know no difference between "_" and "-" believe either.
  for (const name of ['X-Forwarded-Client-Cert', 'X_Forwarded_Client_Cert', 'x-forwarded_client-cert'])
    assert.deepEqual(
      values(await ask(get('/a', `${name}: URI=spiffe://weft/admin`, close)), 'x-forwarded-client-cert'),
      [],
    )
  for (const name of ['Transfer_Encoding: chunked', 'Content_Length: 41']) {
    const seen = await ask(get('/a', name, close))
    assert.deepEqual([...values(seen, 'content-length'), ...values(seen, 'transfer-encoding')], [])
  }
  // Others with "_" are a program's own business.
  assert.deepEqual(values(await ask(get('/a', 'my_key: 1', close)), 'my-key'), ['1'])
  // 28: HTTP/2 by upgrade would be a tunnel past every rule.
  const upgrade = await ask(
    get('/a', 'Upgrade: h2c', 'HTTP2-Settings: AAMAAABkAAQAAP__', 'Connection: Upgrade, HTTP2-Settings, close'),
  )
  assert.deepEqual([...values(upgrade, 'upgrade'), ...values(upgrade, 'http2-settings')], [])
  // 29: framing and Host are not the caller's to drop.
  const dropped = await ask(
    `${post('Content-Length: 5', 'Connection: close, content-length, host, x-forwarded-proto')}hello`,
  )
  assert.deepEqual(
    [dropped.body, values(dropped, 'host'), values(dropped, 'content-length')],
    ['hello', ['web'], ['5']],
  )
  // 27: who asks for an upgrade that is not granted has no tunnel.
  const refused = await exchange(t, proxy.at, `${get('/ws', 'Upgrade: websocket', 'Connection: Upgrade')}${smuggled}`)
  assert.ok(
    statuses(refused).every((status) => [200, 400, 403].includes(status)),
    refused,
  )
  assert.doesNotMatch(refused, /101 Switching/)
  // 60: names of every object.
  const names = ['__proto__', 'constructor', 'hasOwnProperty', 'toString', 'prototype', '__defineGetter__']
  const odd = await ask(get('/a', ...names.map((name) => `${name}: polluted`), close))
  for (const name of names) assert.ok(odd.headers.includes(name), name)
  // 61: names that are all numbers.
  const numbers = Array.from({ length: 90 }, (_, index) => `${(index + 1) * 65_536}: 1`)
  const numbered = await ask(get('/a', ...numbers, close))
  const seenNames = numbered.headers.filter((_, index) => index % 2 === 0)
  assert.equal(seenNames.filter((name) => /^\d{5,}$/.test(name)).length, 90)
  // 30: trailers are none of the head.
  const trailers = await ask(`${post(chunked, close)}1\r\nx\r\n0\r\nHost: admin\r\nX-Role: evil\r\n\r\n`)
  assert.deepEqual([trailers.body, values(trailers, 'host'), values(trailers, 'x-role')], ['x', ['web'], []])
  assert.ok(proxy.child.isRunning)
})

test('45: what callers say is one line of JSON in the log, whatever they say', async (t) => {
  const { at } = await credulous(t)
  const proxy = await startBareProxy(createWorld(t), at, {
    manager: {
      access_log: [
        {
          name: 'log',
          typed_config: {
            '@type': 'type.googleapis.com/envoy.extensions.access_loggers.stream.v3.StdoutAccessLog',
          },
        },
      ],
    },
  })
  const odd = ['"},{"status":1', '\xe2\x80\xa8', '\x9b31m', '%0d%0a{', '\\u000a', '</script>']
  for (const text of odd) {
    await exchange(
      t,
      proxy.at,
      get(`/a?${text.replaceAll(' ', '')}`, `X-Request-Id: ${text}`, `User-Agent: ${text}`, 'Connection: close'),
    )
  }
  await proxy.child.said(/script/)
  const lines = proxy.child.out.trim().split('\n')
  for (const line of lines) assert.equal(typeof (JSON.parse(line) as { time: unknown }).time, 'string', line)
  assert.ok(lines.length <= odd.length && lines.length > 0)
  // eslint-disable-next-line no-control-regex -- that is what is looked for
  assert.doesNotMatch(lines.join(''), /[\x00-\x1f]/)
})
