// Calls a server by @grpc/grpc-js in every way there is, and prints what came of it, as client.py does. Knows nothing of Weft.
//   node client.mjs TARGET           prints one JSON object
//   node client.mjs TARGET slow      one call of Slow, its status printed when it ends; "begun" once it is sent
//   node client.mjs TARGET calls N   N unary calls one after the other, their statuses
import grpc from '@grpc/grpc-js'

const [target, what, value] = process.argv.slice(2)
const client = new grpc.Client(target, grpc.credentials.createInsecure(), {
  'grpc.max_receive_message_length': 8_000_000,
  'grpc.enable_retries': 0,
})
const same = (one) => one
const path = (method) => `/weft.Interop/${method}`
const bin = (metadata) => metadata?.get('x-trailing-bin')[0]?.toString('hex')
const metadata = new grpc.Metadata()
metadata.set('x-in', 'a')

/** One unary call. */
const unary = (method, message = Buffer.alloc(0), options = {}, begun = () => {}) =>
  new Promise((resolve) => {
    const result = {}
    const call = client.makeUnaryRequest(path(method), same, same, message, metadata, options, (error, reply) => {
      result.code = error?.code ?? 0
      result.details = error?.details ?? ''
      result.reply = reply
    })
    call.on('metadata', (head) => (result.initial = head.get('x-initial')[0]))
    call.on('status', (status) => {
      result.trailing = bin(status.metadata)
      setImmediate(() => resolve(result))
    })
    begun(call)
  })
const text = (message) => message?.toString()

/** How many calls of Slow the server has seen cancelled, and how many it has begun. */
const slowCalls = async () =>
  text((await unary('Cancelled')).reply)
    .split(' of ')
    .map(Number)

/** Whether it holds within ten seconds. */
async function soon(holds) {
  for (let tries = 0; tries < 500; tries++) {
    if (await holds()) return true
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
  return false
}

async function all() {
  const results = {}
  const one = await unary('Unary', Buffer.from('hello'))
  results.unary = [one.code, text(one.reply), one.initial, one.trailing]
  const big = Buffer.alloc(3_000_000, 'x')
  results.large = (await unary('Unary', big)).reply?.equals(big) === true
  results.collect = await new Promise((resolve) => {
    let reply
    const call = client.makeClientStreamRequest(path('Collect'), same, same, metadata, (error, message) => {
      reply = error?.code ?? text(message)
    })
    call.on('status', (status) => setImmediate(() => resolve([reply, bin(status.metadata)])))
    for (let n = 0; n < 20; n++) call.write(Buffer.alloc(10_000))
    call.end()
  })
  results.count = await new Promise((resolve) => {
    const seen = []
    const call = client.makeServerStreamRequest(path('Count'), same, same, Buffer.from('100'), metadata)
    call.on('data', (message) => seen.push(Number(text(message))))
    call.on('error', () => {})
    call.on('status', (status) =>
      resolve([status.code, seen.length, seen.every((n, at) => n === at), bin(status.metadata)]),
    )
  })
  // Each message waits for the echo of the one before.
  results.chat = await new Promise((resolve) => {
    let rounds = 0
    const call = client.makeBidiStreamRequest(path('Chat'), same, same, metadata)
    call.on('data', () => (++rounds < 20 ? call.write(Buffer.from([rounds])) : call.end()))
    call.on('error', () => {})
    call.on('status', (status) => resolve([status.code, rounds, bin(status.metadata)]))
    call.write(Buffer.from([0]))
  })
  const failed = await unary('Fail')
  results.fail = [failed.code, failed.details]
  results.unknown = (await unary('Nothing')).code
  results.deadline = (await unary('Slow', undefined, { deadline: Date.now() + 300 })).code
  const [, before] = await slowCalls()
  results.cancel = (
    await unary('Slow', undefined, {}, async (call) => {
      await soon(async () => (await slowCalls())[1] > before)
      call.cancel()
    })
  ).code
  // The server hears of each that had reached it, in its own time.
  results.cancelled = await soon(async () => {
    const [cancelled, begun] = await slowCalls()
    return cancelled === begun
  })
  return results
}

if (what === undefined) console.log(JSON.stringify(await all()))
else if (what === 'slow') {
  const { code } = await unary('Slow', undefined, {}, () => console.log('begun'))
  console.log(code)
} else {
  const codes = []
  for (let n = 0; n < Number(value); n++) codes.push((await unary('Unary')).code)
  console.log(JSON.stringify(codes))
}
client.close()
