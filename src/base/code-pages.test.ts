import assert from 'node:assert/strict'
import { test } from 'node:test'
import { releaseCodePages, unwrittenMappings } from './code-pages.ts'

const entry = (head: string, rss: number, anonymous: number): string =>
  `${head}\nSize: 4096 kB\nKernelPageSize: 4 kB\nRss: ${rss} kB\nPss: 1 kB\nReferenced: 8 kB\nAnonymous: ${anonymous} kB\nKSM: 0 kB\nVmFlags: rd mr\n`

test('only what shows a file, cannot be written and was never written is let go of', () => {
  const smaps = [
    entry('00400000-0082e000 r--p 00000000 fe:00 531 /bin/node', 0, 0),
    entry('0082e000-03489000 r-xp 0042e000 fe:00 531 /bin/node', 16_092, 0),
    // Relocated by the loader, then made read-only.
    entry('072a7000-072dc000 r--p 06ea7000 fe:00 531 /bin/node', 56, 24),
    entry('072dc000-07308000 rw-p 06edc000 fe:00 531 /bin/node', 176, 0),
    // Compiled by V8, and the kernel's own.
    entry('7f0000000000-7f0000001000 r-xp 00000000 00:00 0 ', 4, 0),
    entry('7ffc2ed00000-7ffc2ed02000 r-xp 00000000 00:00 0 [vdso]', 4, 0),
    entry('7f3501d80000-7f3501f95000 r-xp 01627000 fe:00 532 /lib/libc.so.6', 1_728, 0),
  ].join('')
  assert.deepEqual(unwrittenMappings(smaps), [
    { from: 0x82e000n, to: 0x3489000n, residentKib: 16_092 },
    { from: 0x7f3501d80000n, to: 0x7f3501f95000n, residentKib: 1_728 },
  ])
})

test(
  'a process is smaller after it, works as before, and writes nothing of it',
  { skip: process.platform !== 'linux' },
  (t) => {
    const written = t.mock.method(process.stderr, 'write')
    const before = process.memoryUsage.rss()
    releaseCodePages()
    const after = process.memoryUsage.rss()
    assert.ok(after < before - 4_000_000, `${before} bytes before, ${after} after`)
    assert.equal(new Intl.NumberFormat('de').format(1234.5), '1.234,5')
    assert.equal(written.mock.callCount(), 0)
  },
)
