import { headerField } from '../../../src/proxy/http/headers.ts'
import { readB3, writeB3 } from '../../../src/proxy/tracing/b3.ts'
import { readContext } from '../../../src/proxy/tracing/trace-context.ts'
import type { Target } from '../target.ts'

const trace = '0af7651916cd43dd8448eb211c80319c'
const span = 'b7ad6b7169203331'

/** What callers say of traces: the same text as each of the fields that may say it. */
export const traceContext: Target = {
  name: 'trace-context',
  seeds: [`00-${trace}-${span}-01`, `${trace}-${span}-1-00f067aa0ba902b7`, `${span}-${span}-d`, trace, '0x1f', '0'].map(
    (seed) => Buffer.from(seed),
  ),
  words: ['-', '0x', '00', 'd', 'ff-', '-1', '+', trace, span],
  read(pieces) {
    const text = Buffer.concat(pieces).toString('latin1')
    const w3c = readContext([headerField('traceparent', text)])
    const b3 = [
      readB3([headerField('b3', text)]),
      readB3([
        headerField('x-b3-traceid', text),
        headerField('x-b3-spanid', text),
        headerField('x-b3-parentspanid', text),
      ]),
    ]
    for (const words of b3) {
      if (words === 'bad' || words.ids === undefined) continue
      const place = { ...words.ids, sampled: words.sampled ?? false, inOne: words.inOne, state: '' }
      const again = readB3(writeB3(place))
      if (JSON.stringify(again) !== JSON.stringify({ inOne: words.inOne, sampled: place.sampled, ids: words.ids }))
        throw new Error(`${JSON.stringify(words)} is told as ${JSON.stringify(again)}`)
    }
    return Promise.resolve(JSON.stringify([w3c, b3]))
  },
}
